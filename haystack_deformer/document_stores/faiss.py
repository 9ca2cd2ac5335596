"""A DeFormer store over FAISS and SQL."""

# Haystack makes its YAML schema from these types: they must be typing's own, and no strings

from collections.abc import Sequence
from inspect import Signature, signature
from pathlib import Path
from typing import Any, Dict, Optional, Union

from haystack.document_stores import FAISSDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores.arguments import REPRESENTATION_PARAMETERS, representation_parameters
from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.document_stores.repairs.vectors import SteadyVectors
from haystack_deformer.document_stores.sql import give_threads_their_sessions, path_beside
from haystack_deformer.document_stores.unfit import check_embedding_length
from haystack_deformer.parameters import as_bool, as_int

_BESIDE_THE_PATHS = ("validate_index_sync", *REPRESENTATION_PARAMETERS)
"""What may be given where a saved index is loaded."""


class DeFormerFAISSDocumentStore(DeFormerDocumentStoreMixin, SteadyVectors, FAISSDocumentStore):
    """
    FAISSDocumentStore that computes states for `DeFormerReader` when documents are written, and keeps them on disk.

    ```python
    from haystack.nodes import EmbeddingRetriever
    from haystack.pipelines import ExtractiveQAPipeline
    from haystack_deformer import DeFormerFAISSDocumentStore, DeFormerReader

    store = DeFormerFAISSDocumentStore(embedding_dim=384, deformer_model="path/to/model")
    store.write_documents([{"content": "Paris is the capital of France."}])
    retriever = EmbeddingRetriever("sentence-transformers/all-MiniLM-L6-v2", document_store=store)
    store.update_embeddings(retriever)
    reader = DeFormerReader("path/to/model", document_store=store)
    pipeline = ExtractiveQAPipeline(reader, retriever)
    ```

    As in FAISSDocumentStore, filters compare a list in the meta as a whole, and the meta of labels is not kept.

    :param sql_url: database of the texts and the meta.
    :param vector_dim: deprecated: use `embedding_dim`.
    :param embedding_dim: length of the vectors.
    :param faiss_index_factory_str: kind of the FAISS index: "Flat", "HNSW", "IVFx,Flat", ...
    :param faiss_index: an existing FAISS index to use.
    :param return_embedding: whether documents are handed out with their vectors.
    :param index: name of the default index.
    :param similarity: "dot_product", "cosine" or "l2".
    :param embedding_field: field of a dictionary with a document's vector.
    :param progress_bar: whether to show progress bars, for computing states too.
    :param duplicate_documents: what to do when a document's id already exists: "skip", "overwrite" or "fail".
    :param faiss_index_path: file that `save` wrote, that of FAISSDocumentStore too. Together with it only
        `faiss_config_path`, `validate_index_sync` and the parameters from `deformer_model` on may be given; these
        replace the saved ones.
    :param faiss_config_path: file of its configuration.
    :param isolation_level: of SQLAlchemy's engine.
    :param n_links: for "HNSW".
    :param ef_search: for "HNSW".
    :param ef_construction: for "HNSW".
    :param validate_index_sync: whether to check that there are as many vectors as documents, and that loaded ones are
        of the same documents.
    :param batch_size: documents written at once.
    :param deformer_model: name or path of the model whose states are stored: the model that DeFormerReader uses.
    :param lower_layers: the cut k. None: the model's own, else three quarters of its layers, with a warning.
    :param representation_path: folder for the states. None: `x.representations` beside the SQLite file `x.db`; memory
        if SQLite is in memory. Required if a database server holds the documents.
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
    :raises RepresentationStoreError: if `representation_path` is a file.
    """

    def __init__(
        self,
        sql_url: str = "sqlite:///faiss_document_store.db",
        vector_dim: Optional[int] = None,
        embedding_dim: int = 768,
        faiss_index_factory_str: str = "Flat",
        faiss_index: Optional[Any] = None,
        return_embedding: bool = False,
        index: str = "document",
        similarity: str = "dot_product",
        embedding_field: str = "embedding",
        progress_bar: bool = True,
        duplicate_documents: str = "overwrite",
        faiss_index_path: Optional[Union[str, Path]] = None,
        faiss_config_path: Optional[Union[str, Path]] = None,
        isolation_level: Optional[str] = None,
        n_links: int = 64,
        ef_search: int = 20,
        ef_construction: int = 80,
        validate_index_sync: bool = True,
        batch_size: int = 10_000,
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
        self._hnsw = {
            "n_links": as_int("n_links", n_links),
            "ef_search": as_int("ef_search", ef_search),
            "ef_construction": as_int("ef_construction", ef_construction),
        }
        loading = faiss_index_path is not None
        if not loading:
            # an environment variable has the empty text for None
            representation_path = representation_path or path_beside(sql_url)
            self._init_representations(**representation_parameters(locals()))
        # where it loads, this calls the __init__ above it a second time, with what was saved
        super().__init__(
            sql_url=sql_url,
            vector_dim=None if vector_dim is None else as_int("vector_dim", vector_dim),
            embedding_dim=as_int("embedding_dim", embedding_dim),
            faiss_index_factory_str=faiss_index_factory_str,
            faiss_index=faiss_index,
            return_embedding=as_bool("return_embedding", return_embedding),
            index=index,
            similarity=similarity,
            embedding_field=embedding_field,
            progress_bar=as_bool("progress_bar", progress_bar),
            duplicate_documents=duplicate_documents,
            faiss_index_path=faiss_index_path,
            faiss_config_path=faiss_config_path,
            isolation_level=isolation_level,
            **self._hnsw,
            validate_index_sync=as_bool("validate_index_sync", validate_index_sync),
            batch_size=as_int("batch_size", batch_size),
        )
        if not loading:
            give_threads_their_sessions(self)
        elif as_bool("validate_index_sync", validate_index_sync):
            self.check_documents()

    @classmethod
    def load(
        cls,
        index_path: Union[str, Path],
        config_path: Optional[Union[str, Path]] = None,
        **parameters: Any,
    ) -> "DeFormerFAISSDocumentStore":
        """
        Load what `save` wrote, of this store or of FAISSDocumentStore.

        ```python
        store = DeFormerFAISSDocumentStore.load("index.faiss", deformer_model="path/to/model")
        store.update_representations()  # where the documents were written by FAISSDocumentStore
        ```

        :param index_path: file of the index.
        :param config_path: file of the configuration; None: beside it.
        :param parameters: `deformer_model` and those after it, in place of the saved ones; an index that
            FAISSDocumentStore saved needs `deformer_model`. And `validate_index_sync=False` for vectors that are not
            those of the documents any more, to be made anew by `update_embeddings`.
        :raises ValueError: where the documents in the database are not those that the vectors were saved with.
        """
        if unknown := sorted(set(parameters) - set(_BESIDE_THE_PATHS)):
            msg = f"load() does not take {unknown}: beside the paths it takes {list(_BESIDE_THE_PATHS)}."
            raise TypeError(msg)
        return cls(faiss_index_path=index_path, faiss_config_path=config_path, **parameters)

    def get_params(self, return_defaults: bool = False) -> Dict[str, Any]:
        """
        The parameters as YAML files name them.

        :param return_defaults: whether those are named too that were not given.
        :return: of a store that was loaded the paths and what may stand beside them: the parent names all that was
            saved as well, the whole index among it, and then does not load what it wrote.
        """
        params = super().get_params(return_defaults)
        if params.get("faiss_index_path") is None:
            return params
        defaults = {name: parameter.default for name, parameter in signature(type(self)).parameters.items()}
        own = ("faiss_index_path", "faiss_config_path", *_BESIDE_THE_PATHS)
        params = {name: value if name in own else defaults[name] for name, value in params.items()}
        return {name: value for name, value in params.items() if return_defaults or value != defaults[name]}

    def _create_document_field_map(self) -> Dict[str, str]:
        """As other stores have it; the parent names the index in place of the field."""
        return {self.embedding_field: "embedding"}

    def _check_fit(self, documents: Sequence[Document], index: str) -> None:
        remedy = f"the store is for {self.embedding_dim} numbers: give another embedding_dim, or other embeddings."
        for document in documents:
            check_embedding_length(document, self.embedding_dim, remedy)
        super()._check_fit(documents, index)

    def _validate_params_load_from_disk(self, sig: Signature, locals: Dict[str, Any]) -> None:  # noqa: A002
        parents = [parameter for name, parameter in sig.parameters.items() if name not in _BESIDE_THE_PATHS]
        super()._validate_params_load_from_disk(sig.replace(parameters=parents), locals)

    def _load_init_params_from_config(
        self, index_path: Union[str, Path], config_path: Optional[Union[str, Path]] = None
    ) -> Dict[str, Any]:
        saved = super()._load_init_params_from_config(index_path, config_path)
        # what was given, and not what differs from the defaults: SQfp16 may be asked for where SQ8 was saved
        given = self._component_config["params"]
        return {**saved, **{name: given[name] for name in _BESIDE_THE_PATHS if name in given}}
