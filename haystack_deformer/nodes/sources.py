"""The model and the states that a reader reads with: its own, or those of its document store."""

from __future__ import annotations

import logging
from typing import Any

import torch
from haystack.document_stores import BaseDocumentStore

from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.parameters import absolute_folder
from haystack_deformer.passages import PassageEncoder, load_encoder
from haystack_deformer.representations import Representations

logger = logging.getLogger(__name__)


def deformer_store(document_store: BaseDocumentStore | None) -> DeFormerDocumentStoreMixin | None:
    """
    The document store where it keeps states; a warning, and None, where it keeps none.

    :param document_store: of any kind.
    :raises ValueError: for what is no document store.
    """
    if document_store is None or isinstance(document_store, DeFormerDocumentStoreMixin):
        return document_store
    if not isinstance(document_store, BaseDocumentStore):
        msg = (
            f"document_store={document_store!r} is no document store. It is DeFormerReader's second parameter, where "
            "FARMReader has model_version: give that one by its name."
        )
        raise ValueError(msg)
    logger.warning(
        "%s keeps no states, so every passage is computed at every query. Use DeFormerFAISSDocumentStore or "
        "another store with DeFormerDocumentStoreMixin.",
        type(document_store).__name__,
    )
    return None


def reader_encoder(
    model: str | None, store: DeFormerDocumentStoreMixin | None, device: torch.device, parameters: dict[str, Any]
) -> PassageEncoder:
    """
    The reader's model. Where it is the store's, its cut, version, token and lengths are too, unless others are given.

    :param model: name or folder.
    :param store: the reader's.
    :param device: where to run.
    :param parameters: of `load_encoder`; None among them: not given.
    :raises ValueError: for no model, one that cannot be decomposed, or lengths that do not fit.
    :raises OSError: where there is no such model, or it has no weights.
    """
    if not model:
        msg = "DeFormerReader needs model_name_or_path, or a DeFormer document_store whose model it is to take."
        raise ValueError(msg)
    model = absolute_folder(model)
    given = {name: value for name, value in parameters.items() if value is not None}
    if store is None:
        return load_encoder(model, device=device, **given)
    # of another model the store's parameters say nothing
    shared = store.encoder_parameters if model == store.deformer_model else {}
    return load_encoder(
        model,
        device=device,
        # passages whose states are missing run as the store's did, whatever runs the upper layers
        backend=store.representation_backend,
        dtype=store.representation_dtype,
        **{**shared, **given},
    )


def stored_representations(store: DeFormerDocumentStoreMixin | None, encoder: PassageEncoder) -> Representations | None:
    """
    The store's states where they are of the reader's model; otherwise a warning, and None.

    :param store: the reader's.
    :param encoder: the reader's.
    """
    if store is None:
        return None
    if store.representations.manifest.fingerprint == encoder.fingerprint:
        return store.representations
    logger.warning(
        "The document store's states are of another model, cut or window (%s) than this reader's: every passage is "
        "computed at every query. Give both the same model, and leave the reader's lower_layers, model_version, "
        "max_seq_len, doc_stride and max_query_length out: it takes the store's.",
        store.deformer_model,
    )
    return None
