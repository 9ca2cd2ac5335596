"""The `params` of a request against the pipeline's nodes: what cannot work is said before anything runs."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from haystack_deformer.rest_api.characters import has_half_character
from haystack_deformer.rest_api.filters import checked_filters
from haystack_deformer.rest_api.pipelines import ServedPipeline

BOUNDS = {
    # faiss takes memory for as many documents as are asked for, whether or not they are there
    "top_k": (1, 1_000),
    # and PreProcessor for as many words as a passage may have
    "split_length": (1, 100_000),
    "split_overlap": (0, 100_000),
}
"""The smallest and the largest value of parameters, among a request's `params` and in the form of an upload."""

_LONGEST_INDEX = 100
"""Characters of an index's name, as many as SQL's column has."""

_INPUTS = {"query", "queries", "documents", "file_paths", "labels", "root_node"}
_NOT_FROM_REQUESTS = {"tokenizer", "known_ligatures", "encoding"}
"""A model by any name or path, letters that become texts of any length, and another encoding than is looked for."""


def checked_params(
    pipeline: ServedPipeline, params: dict[str, Any] | None, *, takes_debug: bool = True
) -> dict[str, Any]:
    """
    The parameters of a request.

    :param pipeline: that they are for.
    :param params: by node, or for all nodes that know one.
    :param takes_debug: whether the response has room for what nodes say of themselves.
    :raises HTTPException: 400, says what is wrong.
    """
    params = params or {}
    nodes = {name: arguments - _INPUTS - _NOT_FROM_REQUESTS for name, arguments in pipeline.arguments().items()}
    everywhere = {"debug"} if takes_debug else set()
    known = set().union(*nodes.values(), everywhere)
    for name, value in params.items():
        if name in nodes:
            if not isinstance(value, dict):
                raise HTTPException(400, f"params.{name} must be an object with the node's parameters, not {value!r}.")
            for key, item in value.items():
                if key not in nodes[name] | everywhere:
                    raise HTTPException(400, f"The node {name} has no parameter {key!r}, only {sorted(nodes[name])}.")
                _check(f"params.{name}.{key}", key, item)
        elif name in known:
            _check(f"params.{name}", name, value)
        else:
            raise HTTPException(
                400, f"params.{name} is neither a node of the pipeline ({sorted(nodes)}) nor a parameter of one."
            )
    return params


def _check(path: str, key: str, value: Any) -> None:
    if value is None:
        return
    if key in BOUNDS:
        least, most = BOUNDS[key]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise HTTPException(400, f"{path} must be a whole number from {least} to {most}, not {value!r:.100}.")
    if key == "index":
        _check_index(path, value)
    if key == "debug" and not isinstance(value, bool):
        raise HTTPException(400, f"{path} must be true or false, not {value!r}.")
    if key == "filters":
        if not isinstance(value, dict):
            raise HTTPException(400, f"{path} must be an object, not {value!r}.")
        checked_filters(value)


def _check_index(path: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST_INDEX or has_half_character(value):
        raise HTTPException(400, f"{path} must be a name of at most {_LONGEST_INDEX} characters, not {value!r:.200}.")
