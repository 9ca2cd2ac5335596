"""The model of a store and the states that it makes: both opened when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import torch
from haystack.schema import Document

from haystack_deformer.document_stores.arguments import RepresentationSettings
from haystack_deformer.document_stores.computing import compute
from haystack_deformer.document_stores.stored_document import text_of
from haystack_deformer.passages import PassageEncoder, load_encoder
from haystack_deformer.representations import Representations


class StoreStates:
    """
    Makes states and keeps them. Safe to use from several threads.

    :param settings: how.
    :param device: says where the model is to run when it is loaded; None: where a reader runs by default, so that both
        share the weights.
    """

    def __init__(self, settings: RepresentationSettings, device: Callable[[], torch.device | None]) -> None:
        self.settings = settings
        self._device = device
        self._encoder: PassageEncoder | None = None
        self._representations: Representations | None = None
        self._loading = threading.RLock()

    @property
    def encoder(self) -> PassageEncoder:
        """The model that makes the states."""
        with self._loading:
            if self._encoder is None:
                self._encoder = load_encoder(
                    self.settings.model,
                    device=self._device(),
                    backend=self.settings.backend,
                    dtype=self.settings.dtype,
                    **self.settings.encoder_parameters,
                )
            return self._encoder

    @property
    def representations(self) -> Representations:
        """The stored states."""
        with self._loading:
            if self._representations is None:
                encoder = self.encoder
                self._representations = Representations.open(
                    encoder.manifest(self.settings.codec),
                    self.settings.path,
                    training_sample=encoder.sample_states,
                )
            return self._representations

    def keys(self, documents: Iterable[Document]) -> list[bytes | None]:
        """
        For each document the key of its text; None where it has none, and the model is not loaded for such.

        :param documents: of any kind.
        """
        texts = [text_of(document.content, document.content_type) for document in documents]
        return [None if text is None else self.representations.key(text) for text in texts]

    def compute(self, texts: Mapping[bytes, str], report: Callable[[bytes], object]) -> None:
        """
        Make the states of texts and store them.

        :param texts: by key.
        :param report: called with the key of each text that went through the lower layers.
        """
        if texts:
            compute(self.encoder, self.representations, texts, self.settings.batch_size, report)
