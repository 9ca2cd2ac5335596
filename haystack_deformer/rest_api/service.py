"""What the routes share: the pipelines, the limits on work at once, and how a pipeline is run for a request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from fastapi import HTTPException
from haystack.document_stores import BaseDocumentStore
from haystack.nodes import PreProcessor
from sqlalchemy.orm import scoped_session
from starlette.requests import Request

from haystack_deformer.inference import collect_readings
from haystack_deformer.rest_api.indexes import check_asked_indexes
from haystack_deformer.rest_api.metrics import Metrics
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.pipelines import Pipelines, ServedPipeline
from haystack_deformer.rest_api.refusals import refusal
from haystack_deformer.rest_api.served_store import ServedStore, open_stores
from haystack_deformer.rest_api.settings import ServerSettings
from haystack_deformer.rest_api.splitting import cut_without_recursion
from haystack_deformer.rest_api.uploads import remove_leftovers


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

    def take_in(self, files: Mapping[Path, str], meta: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """
        Run the indexing pipeline.

        :param files: where they lie, and their names, which go into the meta of each.
        :param meta: of all of them.
        :param params: for the nodes, checked.
        :raises HTTPException: 400 where a parameter or a file cannot be worked with.
        """
        if self.pipelines.indexing is None:
            raise HTTPException(501, "Indexing Pipeline is not configured.")
        # each its own: nodes write into what they are given
        metas = [{**meta, "name": name} for name in files.values()]
        result = self._run(self.pipelines.indexing, params, files, file_paths=list(files), meta=metas)
        for store in self.stores:
            for index in self.pipelines.written_indexes(store.store, params):
                with current_record().stage("embedding"):
                    store.embed_new(index)
        # what was overwritten by other texts
        self.forget_deleted()
        return result

    @staticmethod
    def _run(
        pipeline: ServedPipeline, params: dict[str, Any], files: Mapping[Path, str] | None = None, **inputs: Any
    ) -> dict[str, Any]:
        try:
            return pipeline.run_request(params, **inputs)
        except Exception as error:
            refused = refusal(error, pipeline, current_record().failed, params, files or {})
            if refused is None:
                raise
            raise refused from error

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
