"""
Extractive question answering in Haystack by a reader that has read the corpus before the question comes.

`import haystack_deformer` makes the nodes known to Haystack's YAML files. It loads neither torch nor Haystack until
something needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from haystack_deformer import _registration
from haystack_deformer.__about__ import __version__

if TYPE_CHECKING:
    from haystack_deformer.document_stores import (
        DeFormerDocumentStoreMixin,
        DeFormerElasticsearchDocumentStore,
        DeFormerFAISSDocumentStore,
        DeFormerInMemoryDocumentStore,
    )
    from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
    from haystack_deformer.nodes import DeFormerReader

_HOMES = {
    "DeFormerConfig": "modeling",
    "DeFormerDocumentStoreMixin": "document_stores",
    "DeFormerElasticsearchDocumentStore": "document_stores",
    "DeFormerFAISSDocumentStore": "document_stores",
    "DeFormerForQuestionAnswering": "modeling",
    "DeFormerInMemoryDocumentStore": "document_stores",
    "DeFormerReader": "nodes",
}

__all__ = [
    "DeFormerConfig",
    "DeFormerDocumentStoreMixin",
    "DeFormerElasticsearchDocumentStore",
    "DeFormerFAISSDocumentStore",
    "DeFormerForQuestionAnswering",
    "DeFormerInMemoryDocumentStore",
    "DeFormerReader",
    "__version__",
]

_registration.register()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
