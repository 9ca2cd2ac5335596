"""Whose fault an error of a pipeline is: the request's, which is told what is wrong with it, or the server's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from haystack.errors import DuplicateDocumentError
from haystack.nodes import BaseConverter, JsonConverter

from haystack_deformer.document_stores.unfit import UnfitDocumentError
from haystack_deformer.passages import EmptyQuestionError
from haystack_deformer.rest_api.pipelines import ServedPipeline

logger = logging.getLogger(__name__)

_OF_PARAMETERS = (ValueError, TypeError, NotImplementedError, AssertionError)
"""What nodes raise for parameters that they cannot work with."""

_OF_REQUESTS = (UnicodeError, EmptyQuestionError, DuplicateDocumentError, UnfitDocumentError)
"""What they raise for questions and files."""

_OF_THE_SERVER = (NameError, ImportError, AttributeError, MemoryError, PermissionError)
"""What converters raise where the server lacks something; Haystack leaves names of missing packages undefined."""

_LACKING = (
    (
        LookupError,
        "NLTK Downloader",
        "the server has no data of NLTK, punkt_tab: send split_respect_sentence_boundary=false, not split_by=sentence",
    ),
    (
        OSError,
        "tiktoken",
        "the server has not the file that tiktoken splits by, and cannot fetch it: send another split_by than token",
    ),
    (
        NameError,
        "langdetect",
        "the server has not the package langdetect to tell languages by: leave valid_languages out",
    ),
)
"""What a server may lack for some params, by the error and a word of its message, which tells folders of the server."""


def refusal(
    error: Exception, pipeline: ServedPipeline, node: str | None, params: Mapping[str, Any], files: Mapping[Path, str]
) -> HTTPException | None:
    """
    What to answer a request by that a pipeline failed on.

    :param error: as the pipeline raised it.
    :param pipeline: that was run.
    :param node: that failed; None: none of them.
    :param params: of the request, checked.
    :param files: of the request, where they lie and how they are named.
    :return: None where the request is not at fault.
    """
    # the pipeline wraps what a node raised
    cause = error.__cause__ or error
    if isinstance(cause, HTTPException):
        return HTTPException(cause.status_code, cause.detail)
    lacking = next((said for kind, word, said in _LACKING if isinstance(cause, kind) and word in str(cause)), None)
    if params and lacking is not None:
        logger.warning("Node %s lacks what a request asks for: %s", node, cause)
        return HTTPException(400, f"The node {node} refused the request: {lacking}")
    # a mistake of a node that was given nothing but the question or files is the server's own, mostly
    given = params.get(node or "") or params.keys() & pipeline.arguments().get(node or "", set())
    if isinstance(cause, _OF_REQUESTS) or (given and isinstance(cause, _OF_PARAMETERS)):
        logger.warning("Node %s refused a request: %s", node, cause)
        # should the mistake be the node's own after all
        logger.debug("It was raised here:", exc_info=cause)
        return HTTPException(400, f"The node {node} refused the request: {cause}")
    converter = pipeline.nodes().get(node or "")
    return _unreadable(converter, cause, files) if isinstance(converter, BaseConverter) else None


def _unreadable(converter: BaseConverter, cause: BaseException, files: Mapping[Path, str]) -> HTTPException | None:
    said = str(cause)
    if isinstance(converter, JsonConverter) and isinstance(cause, AttributeError):
        # it takes whatever it goes through for an object
        said = "it reads a list of objects, or one object on each line."
    elif isinstance(cause, _OF_THE_SERVER):
        return None
    for path, name in files.items():
        # where the server keeps files is nobody's business
        said = said.replace(str(path), name)
    return HTTPException(400, f"{converter.name} cannot read {list(files.values())}: {said}")
