"""A DeFormer store in memory."""

# Haystack makes its YAML schema from these types: they must be typing's own, and no strings

from inspect import signature
from typing import Any, Dict, List, Literal, Optional, Union

import torch
from haystack.document_stores import InMemoryDocumentStore
from haystack.document_stores.filter_utils import LogicalFilterClause
from haystack.schema import Document, Label

from haystack_deformer.document_stores.arguments import representation_parameters
from haystack_deformer.document_stores.filters import check_filters
from haystack_deformer.document_stores.guarding import Guarded, guards
from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.parameters import as_bool, as_int

_NOT_COPIED = ("_guard", "_label_guard", "_states", "_access", "_keeper", "_writer", "_updater")
"""Locks, handles and what holds the store itself."""


@guards("get_label_count", "get_all_labels", by="label_guard")
@guards(
    "get_document_by_id",
    "get_documents_by_id",
    "query_by_embedding",
    "query_by_embedding_batch",
    "update_embeddings",
    "get_document_count",
    "get_embedding_count",
    "update_document_meta",
    "get_all_documents",
    "get_all_documents_generator",
    "delete_index",
)
class GuardedMemory(Guarded):
    """Dictionaries that one thread reads at a time while another changes them; BM25 with filters, and without texts."""

    def write_documents(self, documents: Any, index: Optional[str] = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which puts them among labels as well, and then can give neither."""
        store: Any = super()
        with self.guard:
            self.check_kind(index, Document)
            store.write_documents(documents, index, *args, **kwargs)

    def write_labels(self, labels: Any, index: Optional[str] = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which puts them among documents as well, and then can give neither."""
        store: Any = super()
        with self.label_guard:
            self.check_kind(index, Label)
            store.write_labels(labels, index, *args, **kwargs)

    def delete_documents(self, index: Optional[str] = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which deletes labels as well."""
        store: Any = super()
        with self.guard:
            self.check_kind(index, Document)
            store.delete_documents(index, *args, **kwargs)

    def delete_labels(self, index: Optional[str] = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which deletes documents as well, and would leave their states."""
        store: Any = super()
        with self.label_guard:
            self.check_kind(index, Label)
            store.delete_labels(index, *args, **kwargs)

    def check_kind(self, index: Optional[str], kind: type) -> None:
        """
        Refuse an index of documents for labels, and one of labels for documents: both are in one dictionary.

        :param index: its name; None: the default one of the kind.
        :param kind: `Document` or `Label`.
        :raises ValueError: names the index.
        """
        store: Any = self
        other, default = ("labels", store.label_index) if kind is Document else ("documents", store.index)
        held = next(iter(store.indexes.get(index, {}).values()), None)
        if index == default or not isinstance(held, (kind, type(None))):
            msg = f"The index {index!r} is of {other} in this store: give another for {kind.__name__.lower()}s."
            raise ValueError(msg)

    def query(self, *args: Any, **kwargs: Any) -> List[Any]:
        """As the parent does, which passes over filters, and raises where there was never a text, or none is left."""
        store: Any = super()
        arguments = signature(store.query).bind(*args, **kwargs).arguments
        filters = arguments.pop("filters", None)
        check_filters(filters)
        with self.guard:
            if self._finds_nothing(arguments.get("index")):
                return []
            if not filters:
                return store.query(**arguments)
            # of all, since how many of the best do not fit nobody knows
            top_k = arguments.pop("top_k", signature(store.query).parameters["top_k"].default)
            found = store.query(**arguments, top_k=None)
        fits = LogicalFilterClause.parse(filters).evaluate
        return [document for document in found if fits(document.meta)][:top_k]

    def query_batch(self, *args: Any, **kwargs: Any) -> List[List[Any]]:
        """As the parent does, which passes over filters; one for all questions, or a list with one for each."""
        store: Any = super()
        arguments = signature(store.query_batch).bind(*args, **kwargs).arguments
        queries, filters = arguments.pop("queries"), arguments.pop("filters", None)
        each = filters if isinstance(filters, list) else [filters] * len(queries)
        if len(each) != len(queries):
            msg = f"{len(each)} filters for {len(queries)} questions: give one for all, or a list with one for each."
            raise ValueError(msg)
        with self.guard:
            return [self.query(query, own, **arguments) for query, own in zip(queries, each, strict=True)]

    def _query(self, *args: Any, **kwargs: Any) -> List[Any]:
        """As the parent does, which takes the vectors away before it looks for documents that have none."""
        store: Any = super()
        arguments = signature(store._query).bind(*args, **kwargs).arguments  # noqa: SLF001
        if arguments.get("only_documents_without_embedding"):
            arguments["return_embedding"] = True
        return store._query(**arguments)  # noqa: SLF001

    def update_bm25(self, index: Optional[str] = None) -> None:
        """As the parent does, which divides by the number of different words."""
        store: Any = super()
        with self.guard:
            if self._has_words(index):
                store.update_bm25(index=index)

    def _finds_nothing(self, index: Optional[str]) -> bool:
        store: Any = self
        # a store without BM25 is the parent's to refuse
        return store.use_bm25 and not self._has_words(index)

    def _has_words(self, index: Optional[str]) -> bool:
        """Whether a text has a word that BM25 counts, or there is a table."""
        store: Any = self
        words = store.bm25_tokenization_regex
        return any(
            document.content_type == "table" or (document.content_type == "text" and words(document.content.lower()))
            for document in store.indexes.get(index or store.index, {}).values()
            if isinstance(document, Document)
        )


class DeFormerInMemoryDocumentStore(DeFormerDocumentStoreMixin, GuardedMemory, InMemoryDocumentStore):
    """
    InMemoryDocumentStore that computes what `DeFormerReader` reads when documents are written, and keeps it in memory.

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
    :param progress_bar: whether to show progress bars, that of the states among them.
    :param duplicate_documents: what to do with an id that is there: "skip", "overwrite" or "fail".
    :param use_gpu: whether to use a GPU where there is one, for similarities and for the states.
    :param scoring_batch_size: documents in one computation of similarities.
    :param devices: of which the first is used.
    :param use_bm25: whether to index the texts for BM25Retriever.
    :param bm25_tokenization_regex: what a word is for BM25.
    :param bm25_algorithm: "BM25Okapi", "BM25L" or "BM25Plus".
    :param bm25_parameters: of the algorithm.
    :param deformer_model: name or path of the model whose states are stored, the one that DeFormerReader reads with.
    :param lower_layers: the cut k; None: as the model records.
    :param representation_path: folder for the states; None keeps them in memory, like the documents.
    :param representation_codec: how the states are compressed, a factory string of faiss: "SQfp16", "SQ8", "SQ4", ...
    :param representation_batch_size: windows of texts that go through the model at once.
    :param representation_backend: what computes the states, "torch" or "onnx".
    :param representation_dtype: of its matrix products: "float32", "bfloat16" (torch) or "int8" (onnx). States of
        another dtype are other states: a change computes them anew.
    :param representation_model_version: branch, tag or commit of the model on the model hub.
    :param representation_use_auth_token: token for a private model of the hub. True: the one that is stored on this
        machine, and that no saved file shows.
    :param representation_max_seq_len: tokens of a question and a window together. None: the model's own, 256 where it
        records none. A reader of the model takes these lengths from the store.
    :param representation_doc_stride: tokens between the starts of two windows. None: the model's own, else 128.
    :param representation_max_query_length: tokens of the longest question, which the windows leave room for. None: the
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
