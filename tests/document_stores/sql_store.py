"""A DeFormer store over SQL alone, made as the mixin tells to."""

from __future__ import annotations

from haystack.document_stores import SQLDocumentStore

from haystack_deformer.document_stores import DeFormerDocumentStoreMixin, give_threads_their_sessions, path_beside


class DeFormerSQLDocumentStore(DeFormerDocumentStoreMixin, SQLDocumentStore):
    def __init__(self, url: str = "sqlite://", index: str = "document", deformer_model: str | None = None) -> None:
        self._init_representations(deformer_model, representation_path=path_beside(url))
        super().__init__(url=url, index=index)
        give_threads_their_sessions(self)
