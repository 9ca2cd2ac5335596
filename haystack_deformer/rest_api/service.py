"""What the routes share: the pipelines, the limits on work at once, and how a pipeline is run for a request."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from fastapi import HTTPException
from haystack.document_stores import BaseDocumentStore
from haystack.errors import DuplicateDocumentError
from haystack.nodes import PreProcessor
from sqlalchemy.orm import scoped_session
from starlette.requests import Request

from haystack_deformer.document_stores.unfit import UnfitDocumentError
from haystack_deformer.inference import collect_readings
from haystack_deformer.passages import EmptyQuestionError
from haystack_deformer.rest_api.indexes import check_asked_indexes
from haystack_deformer.rest_api.metrics import Metrics
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.pipelines import Pipelines, ServedPipeline
from haystack_deformer.rest_api.served_store import ServedStore, open_stores
from haystack_deformer.rest_api.settings import ServerSettings
from haystack_deformer.rest_api.splitting import cut_without_recursion
from haystack_deformer.rest_api.uploads import remove_leftovers

logger = logging.getLogger(__name__)

_REFUSALS = (ValueError, TypeError, NotImplementedError, AssertionError)
"""What nodes raise for parameters that they cannot work with."""
_REQUESTS_OWN = (UnicodeError, EmptyQuestionError, DuplicateDocumentError, UnfitDocumentError)
"""What they raise for questions and files."""

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


def _lacking(error: BaseException) -> str | None:
    return next((said for kind, word, said in _LACKING if isinstance(error, kind) and word in str(error)), None)


class Limit:
    """
    So many at once; more are told to come again.

    :param count: how many.
    """

    def __init__(self, count: int) -> None:
        self._places = BoundedSemaphore(count)

    @contextmanager
    def place(self) -> Iterator[None]:
        """
        Hold a place while the block runs.

        :raises HTTPException: 503 where all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise HTTPException(503, "The server is busy processing requests.")
        try:
            yield
        finally:
            self._places.release()


class Service:
    """
    Everything behind the routes. Threads share it.

    :param settings: of the server.
    :raises ValueError: where another server has the document store.
    :raises HaystackError: where the pipelines cannot be loaded.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.questions = Limit(settings.concurrency_limit)
        self.uploads = Limit(settings.concurrency_limit)
        self.records = Limit(settings.concurrency_limit)
        """Requests for what the store holds, documents and feedback, which wait for its writers."""
        self.pipelines = Pipelines.load(settings.pipeline, settings.query_pipeline, settings.indexing_pipeline)
        if self.pipelines.indexing is not None:
            self.pipelines.indexing.max_documents = settings.max_upload_documents
            for node in self.pipelines.indexing.get_nodes_by_class(PreProcessor):
                cut_without_recursion(node)
        self.stores: list[ServedStore] = open_stores(self.pipelines.stores)
        self._temporary = None
        if settings.file_upload_path is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="haystack-deformer-uploads-")
        try:
            self.upload_path = Path(self._temporary.name if self._temporary else settings.file_upload_path or "")
            self.upload_path.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.upload_path)
            for store in self.stores:
                store.embed_missing()
        except BaseException:
            self.close()
            raise

    @property
    def document_store(self) -> BaseDocumentStore:
        """
        The document store.

        :raises HTTPException: 501 where the pipelines have none.
        """
        if self.pipelines.document_store is None:
            raise HTTPException(501, "The pipelines have no document store.")
        return self.pipelines.document_store

    @contextmanager
    def work(self) -> Iterator[None]:
        """Run the block for a request, in one thread, and leave nothing of it in the thread's database sessions."""
        try:
            yield
        finally:
            for store, _ in self.pipelines.stores:
                session = getattr(store, "session", None)
                if isinstance(session, scoped_session):
                    # a session gives out what it has read before, and after an error nothing but that error
                    session.remove()

    def ask(self, query: str, params: dict[str, Any], *, debug: bool) -> dict[str, Any]:
        """
        Run the query pipeline.

        :param query: the question.
        :param params: for its nodes, checked.
        :param debug: whether all nodes say what they were given; else those do whose parameters ask for it.
        :raises HTTPException: 400 where a parameter cannot be worked with.
        """
        check_asked_indexes(self.pipelines.query, params)
        with collect_readings() as readings:
            try:
                result = self._run(self.pipelines.query, params, query=query, debug=debug)
            finally:
                current_record().add_readings(readings)
        result.setdefault("answers", [])
        result.setdefault("documents", [])
        return result

    def take_in(self, paths: list[Path], metas: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        """
        Run the indexing pipeline.

        :param paths: of the files.
        :param metas: for each file its meta.
        :param params: for the nodes.
        """
        if self.pipelines.indexing is None:
            raise HTTPException(501, "Indexing Pipeline is not configured.")
        result = self._run(self.pipelines.indexing, params, file_paths=paths, meta=metas)
        for store in self.stores:
            for index in self.pipelines.written_indexes(store.store, params):
                with current_record().stage("embedding"):
                    store.embed_new(index)
        # what was overwritten by other texts
        self.forget_deleted()
        return result

    @staticmethod
    def _run(pipeline: ServedPipeline, params: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        try:
            return pipeline.run_request(params, **arguments)
        except Exception as error:
            # the pipeline wraps what a node raised
            cause = error.__cause__ or error
            node = current_record().failed
            if isinstance(cause, HTTPException):
                raise HTTPException(cause.status_code, cause.detail) from error
            # a mistake of a node that was given nothing but the question or files is the server's own, mostly
            given = params.get(node or "") or params.keys() & pipeline.arguments().get(node or "", set())
            lacking = _lacking(cause) if params else None
            if lacking is not None:
                logger.warning("Node %s lacks what a request asks for: %s", node, cause)
                raise HTTPException(400, f"The node {node} refused the request: {lacking}") from error
            if isinstance(cause, _REQUESTS_OWN) or (given and isinstance(cause, _REFUSALS)):
                logger.warning("Node %s refused a request: %s", node, cause)
                # should the mistake be the node's own after all
                logger.debug("It was raised here:", exc_info=cause)
                raise HTTPException(400, f"The node {node} refused the request: {cause}") from error
            raise

    def forget_deleted(self) -> None:
        """Let go of what was kept for documents that are deleted now, when there is much of it."""
        for store in self.stores:
            store.forget_deleted()

    def close(self) -> None:
        """Give back what the server holds."""
        for store in self.stores:
            store.close()
        if self._temporary is not None:
            self._temporary.cleanup()


async def get_service(request: Request) -> Service:
    """
    The service of the application, for FastAPI's `Depends`; async, for else it would wait for a thread.

    :param request: any.
    """
    return request.app.state.service
