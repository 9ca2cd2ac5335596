"""A DeFormer store in memory."""

# Haystack makes its YAML schema from these types: they must be typing's own, and no strings

from collections.abc import Sequence
from typing import Any, Dict, List, Literal, Optional, Union

import torch
from haystack.document_stores import InMemoryDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores.arguments import representation_parameters
from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.document_stores.repairs.guarded_memory import GuardedMemory
from haystack_deformer.document_stores.unfit import check_embedding_length
from haystack_deformer.parameters import as_bool, as_int

_NOT_COPIED = ("_guard", "_label_guard", "_states", "_access", "_keeper", "_writer", "_updater")
"""Locks, handles and what holds the store itself."""


class DeFormerInMemoryDocumentStore(DeFormerDocumentStoreMixin, GuardedMemory, InMemoryDocumentStore):
    """
    InMemoryDocumentStore that computes `DeFormerReader`'s states when documents are written, and keeps them in memory.

    ```python
    from haystack.nodes import BM25Retriever
    from haystack.pipelines import ExtractiveQAPipeline
    from haystack_deformer import DeFormerInMemoryDocumentStore, DeFormerReader

    store = DeFormerInMemoryDocumentStore(use_bm25=True, deformer_model="path/to/model")
    store.write_documents([{"content": "Paris is the capital of France."}])
    reader = DeFormerReader("path/to/model", document_store=store)
    pipeline = ExtractiveQAPipeline(reader, BM25Retriever(store))
    ```

    :param index: name of the default index.
    :param label_index: name of the default index for labels.
    :param embedding_field: field of a dictionary with a document's vector.
    :param embedding_dim: length of the vectors.
    :param return_embedding: whether documents are handed out with their vectors.
    :param similarity: "dot_product" or "cosine".
    :param progress_bar: whether to show progress bars, for computing states too.
    :param duplicate_documents: what to do when a document's id already exists: "skip", "overwrite" or "fail".
    :param use_gpu: whether to use a GPU where there is one, for similarities and for the states.
    :param scoring_batch_size: documents in one computation of similarities.
    :param devices: torch devices; the first one is used.
    :param use_bm25: whether to index the texts for BM25Retriever.
    :param bm25_tokenization_regex: what counts as a word for BM25.
    :param bm25_algorithm: "BM25Okapi", "BM25L" or "BM25Plus".
    :param bm25_parameters: of the algorithm.
    :param deformer_model: name or path of the model whose states are stored: the model that DeFormerReader uses.
    :param lower_layers: the cut k. None: the model's own, else three quarters of its layers, with a warning.
    :param representation_path: folder for the states; None keeps them in memory, like the documents.
    :param representation_codec: how the states are compressed, a factory string of faiss: "SQfp16", "SQ8", "SQ4", ...
    :param representation_batch_size: windows that run through the lower layers at once.
    :param representation_backend: what computes the states, "torch" or "onnx".
    :param representation_dtype: of its matrix products: "float32", "bfloat16" (torch) or "int8" (onnx). States of
        one dtype are not used for another: after a change they are computed again.
    :param representation_model_version: branch, tag or commit of the model on the model hub.
    :param representation_use_auth_token: token for a private model of the hub. Text is
        written into saved files; True uses the token that is stored on this machine, and does not save it.
    :param representation_max_seq_len: tokens of a question and a window together. None: the model's own, else 256. A
        reader with the store's model takes these three lengths from the store.
    :param representation_doc_stride: tokens between the starts of two windows. None: the model's own, else 128.
    :param representation_max_query_length: tokens of the longest question; windows leave room for it. None: the
        model's own, else 64.
    :raises ValueError: for a value that cannot be used.
    :raises OSError: where there is no such model, or it has no weights.
    """

    def __init__(
        self,
        index: str = "document",
        label_index: str = "label",
        embedding_field: Optional[str] = "embedding",
        embedding_dim: int = 768,
        return_embedding: bool = False,
        similarity: str = "dot_product",
        progress_bar: bool = True,
        duplicate_documents: str = "overwrite",
        use_gpu: bool = True,
        scoring_batch_size: int = 500000,
        devices: Optional[List[Union[str, torch.device]]] = None,
        use_bm25: bool = False,
        bm25_tokenization_regex: str = r"(?u)\b\w\w+\b",
        bm25_algorithm: Literal["BM25Okapi", "BM25L", "BM25Plus"] = "BM25Okapi",
        bm25_parameters: Optional[Dict] = None,
        deformer_model: Optional[str] = None,
        lower_layers: Optional[int] = None,
        representation_path: Optional[str] = None,
        representation_codec: str = "SQfp16",
        representation_batch_size: int = 32,
        representation_backend: str = "torch",
        representation_dtype: str = "float32",
        representation_model_version: Optional[str] = None,
        representation_use_auth_token: Optional[Union[str, bool]] = None,
        representation_max_seq_len: Optional[int] = None,
        representation_doc_stride: Optional[int] = None,
        representation_max_query_length: Optional[int] = None,
    ) -> None:
        self._init_representations(**representation_parameters(locals()))
        super().__init__(
            index=index,
            label_index=label_index,
            embedding_field=embedding_field,
            embedding_dim=as_int("embedding_dim", embedding_dim),
            return_embedding=as_bool("return_embedding", return_embedding),
            similarity=similarity,
            progress_bar=as_bool("progress_bar", progress_bar),
            duplicate_documents=duplicate_documents,
            use_gpu=as_bool("use_gpu", use_gpu),
            scoring_batch_size=as_int("scoring_batch_size", scoring_batch_size),
            devices=devices,
            use_bm25=as_bool("use_bm25", use_bm25),
            bm25_tokenization_regex=bm25_tokenization_regex,
            bm25_algorithm=bm25_algorithm,
            bm25_parameters=bm25_parameters,
        )
        self._devices_given = bool(devices)

    def _check_fit(self, documents: Sequence[Document], index: str) -> None:
        super()._check_fit(documents, index)
        if all(document.embedding is None for document in documents):
            return
        # the parent takes any length, whatever its embedding_dim, and no search of the index works with two
        written = {document.id for document in documents}
        with self.guard:
            staying = (document for document in self.indexes.get(index, {}).values() if document.id not in written)
            stays = next((document for document in staying if getattr(document, "embedding", None) is not None), None)
        embedded = [document for document in (stays, *documents) if document and document.embedding is not None]
        first, length = embedded[0], len(embedded[0].embedding)
        remedy = f"that of {first.id!r} has {length} numbers: give all one length, or another index."
        for document in embedded:
            check_embedding_length(document, length, remedy)

    def _representation_device(self) -> Optional[torch.device]:
        if self.use_gpu and not self._devices_given:
            return None
        return torch.device(self.main_device)

    def __getstate__(self) -> Dict[str, Any]:
        """For pickle and deepcopy, without model and states: `update_representations` computes them for the copy."""
        kept = {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}
        return {**kept, "_settings": self._states.settings}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        settings = state.pop("_settings")
        self.__dict__.update(state)
        self._open_states(settings)
