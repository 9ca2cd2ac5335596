"""Haystack's Elasticsearch store with the states of its documents' texts, in a folder of this machine."""

# Haystack makes its YAML schema from these types: they must be typing's own, and no strings
from typing import Any, List, Optional, Union

from haystack.document_stores import ElasticsearchDocumentStore

from haystack_deformer.document_stores.arguments import representation_parameters
from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.parameters import as_bool, as_int


class DeFormerElasticsearchDocumentStore(DeFormerDocumentStoreMixin, ElasticsearchDocumentStore):
    """
    Haystack's `ElasticsearchDocumentStore`, which also keeps the states of its documents' texts.

    Usage example:

    ```python
    store = DeFormerElasticsearchDocumentStore(deformer_model="my-model", representation_path="states")
    store.write_documents([{"content": "Paris is the capital of France."}])
    reader = DeFormerReader("my-model", document_store=store)
    pipeline = ExtractiveQAPipeline(reader, BM25Retriever(store))
    ```

    It takes the client of Elasticsearch 7 or 8: `pip install "haystack-deformer[elasticsearch]"` has that of 7. For
    documents that are in the index already call `update_representations()`.

    :param host: of the engine, or several.
    :param port: of each.
    :param username: for basic authentication; empty: none.
    :param password: for basic authentication.
    :param api_key_id: of an API key, in place of the two above.
    :param api_key: the key.
    :param aws4auth: authentication of `requests-aws4auth`; Elasticsearch 7 alone.
    :param index: name of the default index.
    :param label_index: name of the default index for labels.
    :param search_fields: what BM25Retriever looks at.
    :param content_field: the field with the text.
    :param name_field: the field with the title.
    :param embedding_field: the field with the vector.
    :param embedding_dim: length of the vectors.
    :param custom_mapping: for an index that is made; it has to leave `deformer_representation` searchable.
    :param excluded_meta_data: fields that are not handed out.
    :param analyzer: of the texts.
    :param scheme: "http" or "https".
    :param ca_certs: file of root certificates.
    :param verify_certs: whether certificates are looked at.
    :param recreate_index: whether both indexes are deleted first, documents and labels with them. Their states stay
        until `prune_representations()`.
    :param create_index: whether indexes that are missing are made.
    :param refresh_type: "wait_for": what was written is found when the call returns; "false": soon after it.
    :param similarity: "dot_product", "cosine" or "l2".
    :param timeout: seconds that a request may take.
    :param return_embedding: whether documents are handed out with their vectors.
    :param duplicate_documents: what to do when a document's id already exists: "skip", "overwrite" or "fail".
    :param scroll: how long the engine keeps what is gone through, "1d" for example.
    :param skip_missing_embeddings: whether documents without a vector are passed over by searches for vectors, which
        else fail.
    :param synonyms: as the engine's token filter takes them.
    :param synonym_type: "synonym" or "synonym_graph".
    :param use_system_proxy: whether to go by the system's proxy.
    :param batch_size: documents written at once.
    :param deformer_model: name or path of the model whose states are stored: the model that DeFormerReader uses.
    :param lower_layers: the cut k. None: the model's own, else three quarters of its layers, with a warning.
    :param representation_path: folder for the states, on this machine. It has to be given, and belongs to the documents
        of one engine: docs/deployment.md tells how processes share it.
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
    :raises ValueError: for a value that cannot be used, or no `representation_path`.
    :raises ImportError: where the engine's client is not installed.
    :raises ConnectionError: where the engine does not answer.
    :raises OSError: where there is no such model, or it has no weights.
    :raises RepresentationStoreError: if `representation_path` is a file.
    """

    def __init__(
        self,
        host: Union[str, List[str]] = "localhost",
        port: Union[int, List[int]] = 9200,
        username: str = "",
        password: str = "",
        api_key_id: Optional[str] = None,
        api_key: Optional[str] = None,
        aws4auth: Optional[Any] = None,
        index: str = "document",
        label_index: str = "label",
        search_fields: Union[str, list] = "content",
        content_field: str = "content",
        name_field: str = "name",
        embedding_field: str = "embedding",
        embedding_dim: int = 768,
        custom_mapping: Optional[dict] = None,
        excluded_meta_data: Optional[list] = None,
        analyzer: str = "standard",
        scheme: str = "http",
        ca_certs: Optional[str] = None,
        verify_certs: bool = True,
        recreate_index: bool = False,
        create_index: bool = True,
        refresh_type: str = "wait_for",
        similarity: str = "dot_product",
        timeout: int = 300,
        return_embedding: bool = False,
        duplicate_documents: str = "overwrite",
        scroll: str = "1d",
        skip_missing_embeddings: bool = True,
        synonyms: Optional[List] = None,
        synonym_type: str = "synonym",
        use_system_proxy: bool = False,
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
        if not representation_path:
            # in memory they would be computed again by every process that opens the store
            msg = (
                "representation_path is missing: the documents are in Elasticsearch, so give a folder of this machine "
                "for the states of their texts."
            )
            raise ValueError(msg)
        self._init_representations(**representation_parameters(locals()))
        super().__init__(
            host=host,
            port=port,
            username=username,
            password=password,
            api_key_id=api_key_id,
            api_key=api_key,
            aws4auth=aws4auth,
            index=index,
            label_index=label_index,
            search_fields=search_fields,
            content_field=content_field,
            name_field=name_field,
            embedding_field=embedding_field,
            embedding_dim=as_int("embedding_dim", embedding_dim),
            custom_mapping=custom_mapping,
            excluded_meta_data=excluded_meta_data,
            analyzer=analyzer,
            scheme=scheme,
            ca_certs=ca_certs,
            verify_certs=as_bool("verify_certs", verify_certs),
            recreate_index=as_bool("recreate_index", recreate_index),
            create_index=as_bool("create_index", create_index),
            refresh_type=refresh_type,
            similarity=similarity,
            timeout=as_int("timeout", timeout),
            return_embedding=as_bool("return_embedding", return_embedding),
            duplicate_documents=duplicate_documents,
            scroll=scroll,
            skip_missing_embeddings=as_bool("skip_missing_embeddings", skip_missing_embeddings),
            synonyms=synonyms,
            synonym_type=synonym_type,
            use_system_proxy=as_bool("use_system_proxy", use_system_proxy),
            batch_size=as_int("batch_size", batch_size),
        )
