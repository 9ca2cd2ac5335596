"""What a DeFormer store is made of beside its parent: settings, states, and what keeps them in step with documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from haystack.document_stores import InMemoryDocumentStore, SQLDocumentStore
from haystack.document_stores.search_engine import SearchEngineDocumentStore
from tqdm import tqdm

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.arguments import RepresentationSettings
from haystack_deformer.document_stores.keeping import StateKeeper
from haystack_deformer.document_stores.memory_access import MemoryDocumentAccess
from haystack_deformer.document_stores.parents import AnyStore
from haystack_deformer.document_stores.reference import HidesReferences
from haystack_deformer.document_stores.search_engine import SearchEngineDocumentAccess
from haystack_deformer.document_stores.sql import SQLDocumentAccess
from haystack_deformer.document_stores.states import StoreStates
from haystack_deformer.document_stores.updating import IndexUpdater
from haystack_deformer.document_stores.writing import DocumentWriter
from haystack_deformer.parameters import with_paths_as_text
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.representations import Representations


class HoldsRepresentations(HidesReferences, AnyStore):
    """A document store with a model and the states that it makes of texts: the part of the hook without documents."""

    deformer_model: str
    """Name or path of the model whose states are stored."""

    def get_params(self, return_defaults: bool = False) -> dict[str, Any]:
        """
        The parameters as YAML files name them.

        :param return_defaults: whether those are named too that were not given.
        """
        return with_paths_as_text(super().get_params(return_defaults))

    def _init_representations(self, deformer_model: str | None, **parameters: Any) -> None:
        """
        Call before the parent's `__init__`, so that wrong arguments are told before it makes a file.

        :param deformer_model: name or path of the model whose states are stored; it is loaded at the first need.
        :param parameters: others of `REPRESENTATION_PARAMETERS`: see :meth:`RepresentationSettings.checked`.
        :raises ValueError: for a value that cannot be used.
        :raises OSError: where there is no such model, or it has no weights.
        :raises RepresentationStoreError: where the path is a file.
        """
        self._open_states(RepresentationSettings.checked(deformer_model, **parameters))

    def _open_states(self, settings: RepresentationSettings) -> None:
        self.deformer_model = settings.model
        self._states = StoreStates(settings, self._representation_device)
        self._access = self._document_access()
        self._keeper = StateKeeper(self._access, lambda: self.representations)
        self._writer = DocumentWriter(self._access, self._keeper, self._states, self._bar)
        self._updater = IndexUpdater(self._access, self._keeper, self._states)

    def _document_access(self) -> DocumentAccess:
        """How the hook looks at what the parent stores."""
        access: Callable[..., DocumentAccess] = DocumentAccess
        if isinstance(self, SQLDocumentStore):
            access = SQLDocumentAccess
        elif isinstance(self, InMemoryDocumentStore):
            access = MemoryDocumentAccess
        elif isinstance(self, SearchEngineDocumentStore):
            access = SearchEngineDocumentAccess
        return access(self, super().update_document_meta)

    @property
    def lower_layers(self) -> int:
        """The model's cut k."""
        return self._states.settings.lower_layers

    @property
    def representation_backend(self) -> str:
        """What computes the states."""
        return self._states.settings.backend

    @property
    def representation_dtype(self) -> str:
        """Of its matrix products."""
        return self._states.settings.dtype

    @property
    def encoder_parameters(self) -> dict[str, Any]:
        """The model's cut, version, token and lengths, as `load_encoder` takes them: a reader of it takes them too."""
        return self._states.settings.encoder_parameters

    @property
    def encoder(self) -> PassageEncoder:
        """The model that makes the states, shared with every reader of the same model in this process."""
        return self._states.encoder

    @property
    def representations(self) -> Representations:
        """The stored states."""
        return self._states.representations

    def _representation_device(self) -> torch.device | None:
        """Where the lower layers run; None: where a reader runs by default, so that both share the weights."""
        return None

    def describe_representations(self) -> dict[str, Any]:
        """
        Say what is stored, where and how.

        :return: among others count, bytes, bytes_per_passage, model, codec, details (the cut, the windows) and path:
            see :meth:`Representations.describe`.
        """
        return self.representations.describe()

    def _bar(self, total: int, description: str) -> tqdm:
        shown = getattr(self, "progress_bar", True)
        return tqdm(total=total, desc=description, unit=" texts", disable=not shown or not total, position=0)
