"""Haystack document stores that keep the states of their documents' texts."""

from haystack_deformer.document_stores.elasticsearch import DeFormerElasticsearchDocumentStore
from haystack_deformer.document_stores.faiss import DeFormerFAISSDocumentStore
from haystack_deformer.document_stores.memory import DeFormerInMemoryDocumentStore
from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.sql import give_threads_their_sessions, path_beside
from haystack_deformer.document_stores.unfit import UnfitDocumentError

__all__ = [
    "REPRESENTATION_META_KEY",
    "DeFormerDocumentStoreMixin",
    "DeFormerElasticsearchDocumentStore",
    "DeFormerFAISSDocumentStore",
    "DeFormerInMemoryDocumentStore",
    "UnfitDocumentError",
    "give_threads_their_sessions",
    "path_beside",
]
