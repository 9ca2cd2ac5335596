"""The reader node: Haystack's shapes around `PassageReader`."""

from typing import Any, Dict, List, Optional, Union

import torch
from haystack.document_stores import BaseDocumentStore
from haystack.nodes.reader.base import BaseReader
from haystack.schema import Answer, Document

from haystack_deformer.nodes.answers import AnswerBuilder
from haystack_deformer.nodes.attributes import AnswerAttributes
from haystack_deformer.nodes.copying import CopiesReader
from haystack_deformer.nodes.debugging import DocumentLists, TellsOfReading
from haystack_deformer.nodes.evaluation import EvaluatesReader
from haystack_deformer.nodes.requests import BatchRequest, check_documents, check_queries, readable
from haystack_deformer.nodes.sources import deformer_store
from haystack_deformer.parameters import (
    as_bool,
    as_float,
    as_int,
    as_optional_float,
    as_optional_int,
    as_optional_text,
    as_token,
    with_paths_as_text,
)
from haystack_deformer.passages import PassageEncoder, default_device


class DeFormerReader(AnswerAttributes, CopiesReader, EvaluatesReader, TellsOfReading, BaseReader):
    """
    A drop-in for `FARMReader` that runs only the upper layers, over states that a DeFormer document store keeps.

    ```python
    from haystack.pipelines import ExtractiveQAPipeline
    from haystack_deformer import DeFormerFAISSDocumentStore, DeFormerReader

    document_store = DeFormerFAISSDocumentStore(deformer_model="path/to/model", embedding_dim=384)
    document_store.write_documents([{"content": "Berlin is the capital of Germany."}])
    reader = DeFormerReader("path/to/model", document_store=document_store)
    pipeline = ExtractiveQAPipeline(reader, retriever)
    ```

    Documents whose states are not stored run through all layers at query time: slower, with the same answers and one
    warning.

    Method: Cao et al., "DeFormer: Decomposing Pre-trained Transformers for Faster Question Answering", ACL 2020.
    """

    def __init__(
        self,
        model_name_or_path: Optional[str] = None,
        document_store: Optional[BaseDocumentStore] = None,
        # by name alone: FARMReader's come in another order
        *,
        lower_layers: Optional[int] = None,
        model_version: Optional[str] = None,
        context_window_size: int = 150,
        batch_size: int = 50,
        use_gpu: bool = True,
        devices: Optional[List[Union[str, torch.device]]] = None,
        no_ans_boost: float = 0.0,
        return_no_answer: bool = False,
        top_k: int = 10,
        top_k_per_candidate: int = 3,
        top_k_per_sample: int = 1,
        max_seq_len: Optional[int] = None,
        doc_stride: Optional[int] = None,
        progress_bar: bool = True,
        duplicate_filtering: int = 0,
        use_confidence_scores: bool = True,
        confidence_threshold: Optional[float] = None,
        use_auth_token: Optional[Union[str, bool]] = None,
        max_query_length: Optional[int] = None,
        max_answer_length: Optional[int] = None,
        num_processes: Optional[int] = None,  # noqa: ARG002
        preprocessing_batch_size: Optional[int] = None,  # noqa: ARG002
        backend: str = "torch",
        dtype: str = "float32",
    ) -> None:
        """
        :param model_name_or_path: a folder written by `haystack-deformer train`, or the name or folder of any
            question-answering checkpoint, which answers worse if it was not trained at its cut. None: the document
            store's model.
        :param document_store: a DeFormer document store that holds the passages' states. None, or a store of another
            kind: every passage is computed at every query.
        :param lower_layers: the cut k. None takes the first of these that there is: the document store's, if it has
            the same model; the one that the model records; three quarters of the model's layers, with a warning.
        :param model_version: branch, tag or commit on the model hub. Of this and of `use_auth_token`, `max_seq_len`,
            `doc_stride` and `max_query_length`, None takes the document store's too, if it has the same model.
        :param context_window_size: characters of the text shown around an answer.
        :param batch_size: windows that run through the upper layers at once, at most.
        :param use_gpu: run on a GPU where there is one; `backend="onnx"` runs on the CPU all the same.
        :param devices: torch devices; the first is used. Not read where `use_gpu` is False.
        :param no_ans_boost: added to the null answer's logits: above 0 for more "no answer", below 0 for less.
        :param return_no_answer: whether "no answer" may be among the answers.
        :param top_k: number of answers at most.
        :param top_k_per_candidate: answers of one document at most.
        :param top_k_per_sample: answers of one window of a document at most.
        :param max_seq_len: tokens of a question and a window together. None: the model's own, 256 where it records
            none. With another value than the document store's, its states cannot be used.
        :param doc_stride: tokens between the starts of two windows. None: the model's own, else 128.
        :param progress_bar: whether `predict_batch` shows one.
        :param duplicate_filtering: spans of one window whose starts or ends are at most this many tokens apart count
            as one; -1 keeps all.
        :param use_confidence_scores: scores in [0, 1] by a sigmoid; False: the span's logits minus the null
            answer's.
        :param confidence_threshold: answers with a lower score are left out.
        :param use_auth_token: token for a private model of the hub.
        :param max_query_length: tokens of a question without its special tokens; a longer one is cut, with a warning.
            None: the model's own, else 64.
        :param max_answer_length: tokens of an answer at most. None: the model's own, else 30.
        :param num_processes: FARMReader's, without effect here: nothing is preprocessed at query time.
        :param preprocessing_batch_size: without effect, for the same reason.
        :param backend: what runs the question and the upper layers: "torch", or "onnx" (CPU only, with the extra
            `haystack-deformer[onnx]`; graphs are exported at first use and kept beside the weights).
        :param dtype: of the matrix products: "float32", "bfloat16" (torch, for processors with it) or "int8" (onnx).
        :raises ValueError: for a parameter out of range, a model that cannot be decomposed, or neither model nor store.
        """
        super().__init__()
        self.top_k = as_int("top_k", top_k)
        self.progress_bar = as_bool("progress_bar", progress_bar)
        self.document_store = document_store
        store = deformer_store(document_store)
        if not as_bool("use_gpu", use_gpu):
            devices = ["cpu"]
        if isinstance(devices, str):
            # from an environment variable
            devices = [name.strip() for name in devices.split(",") if name.strip()]
        # passages whose states are missing run as the store's did
        backends = [backend] if store is None else [backend, store.representation_backend]
        self.devices = [torch.device(device) for device in devices or [default_device(*backends)]]
        self.model_name_or_path = model_name_or_path or (store.deformer_model if store is not None else None)
        self._model_parameters = {
            "lower_layers": as_optional_int("lower_layers", lower_layers, least=0),
            "revision": as_optional_text("model_version", model_version),
            "token": as_token("use_auth_token", use_auth_token),
            "max_seq_len": as_optional_int("max_seq_len", max_seq_len),
            "doc_stride": as_optional_int("doc_stride", doc_stride),
            "max_question_length": as_optional_int("max_query_length", max_query_length),
        }
        self._runtime_parameters = {"backend": backend, "dtype": dtype}
        self._reading_parameters = {
            "batch_size": as_int("batch_size", batch_size),
            "top_k_per_passage": as_int("top_k_per_candidate", top_k_per_candidate),
            "top_k_per_window": as_int("top_k_per_sample", top_k_per_sample),
            "max_answer_length": as_optional_int("max_answer_length", max_answer_length),
            "duplicate_filtering": as_int("duplicate_filtering", duplicate_filtering, least=-1),
        }
        self._reader = self._open_reader(store)
        self._answers = AnswerBuilder(
            self.encoder.model.deformer_config,
            context_window_size=as_int("context_window_size", context_window_size, least=0),
            no_ans_boost=as_float("no_ans_boost", no_ans_boost),
            return_no_answer=as_bool("return_no_answer", return_no_answer),
            use_confidence_scores=as_bool("use_confidence_scores", use_confidence_scores),
            confidence_threshold=as_optional_float("confidence_threshold", confidence_threshold),
        )

    @property
    def encoder(self) -> PassageEncoder:
        """The model and its tokenizer, shared with the store of the same model in this process."""
        return self._reader.encoder

    def get_params(self, return_defaults: bool = False) -> Dict[str, Any]:
        """
        The parameters as YAML files name them.

        :param return_defaults: whether to include parameters that were not given.
        """
        return with_paths_as_text(super().get_params(return_defaults))

    def predict(self, query: str, documents: List[Document], top_k: Optional[int] = None) -> Dict[str, Any]:
        """
        Answers to one question.

        :param query: the question.
        :param documents: where to look for answers.
        :param top_k: answers at most; None: the reader's own.
        :return: `{"query", "no_ans_gap", "answers"}`, answers sorted by score, best first.
        :raises ValueError: for a blank question or `top_k` below 1.
        """
        top_k = self.top_k if top_k is None else as_int("top_k", top_k)
        check_queries([query])
        check_documents(documents)
        documents = readable(documents)
        reading = self._reader.read(query, [document.content for document in documents])
        answers, gap = self._answers.build(documents, reading.spans, top_k)
        return {"query": query, "no_ans_gap": gap, "answers": answers}

    def predict_batch(
        self,
        queries: List[str],
        documents: DocumentLists,
        top_k: Optional[int] = None,
        batch_size: Optional[int] = None,
    ) -> Dict[str, Any]:
        """
        Answers to several questions; every passage is read once, whatever number of questions asks for it.

        One question and a list of documents: a list of answers per document. One question and lists of documents: per
        list. Questions and a list of documents: per question a list per document. Questions and as many lists of
        documents: a list per question.

        :param queries: the questions.
        :param documents: one list for all, or one list for each.
        :param top_k: answers at most in each list; None: the reader's own.
        :param batch_size: windows that run through the upper layers at once, at most; None: the reader's own.
        :return: `{"queries", "answers", "no_ans_gaps"}`.
        :raises HaystackError: where the numbers of questions and lists do not fit.
        :raises ValueError: for a blank question or `top_k` below 1.
        """
        top_k = self.top_k if top_k is None else as_int("top_k", top_k)
        batch_size = None if batch_size is None else as_int("batch_size", batch_size)
        request = BatchRequest.of(queries, documents)
        reading = self._reader.read_pairs(
            request.queries,
            [document.content for document in request.documents],
            request.pairs,
            batch_size=batch_size,
            progress_bar=self.progress_bar,
        )
        answers: List[List[Answer]] = []
        gaps: List[float] = []
        for group in request.groups:
            group_answers, gap = self._answers.build(
                [request.documents[request.pairs[position][1]] for position in group],
                [reading.spans[position] for position in group],
                top_k,
            )
            answers.append(group_answers)
            gaps.append(gap)
        return {"queries": queries, "answers": request.shape(answers), "no_ans_gaps": gaps}

    def update_parameters(
        self,
        context_window_size: Optional[int] = None,
        no_ans_boost: Optional[float] = None,
        return_no_answer: Optional[bool] = None,
        max_seq_len: Optional[int] = None,
        doc_stride: Optional[int] = None,
    ) -> None:
        """
        Change parameters of a reader that is in use; those that are None stay.

        :param context_window_size: characters of the text shown around an answer.
        :param no_ans_boost: added to the null answer's logits.
        :param return_no_answer: whether "no answer" may be among the answers.
        :param max_seq_len: cannot be changed: it decides the windows whose states are stored.
        :param doc_stride: cannot be changed, for the same reason.
        :raises ValueError: for a value out of range, or another `max_seq_len` or `doc_stride`.
        """
        config = self.encoder.model.deformer_config
        for name, value in (("max_seq_len", max_seq_len), ("doc_stride", doc_stride)):
            if value is not None and as_int(name, value) != getattr(config, name):
                msg = (
                    f"{name}={value} cannot be set on a reader of {getattr(config, name)}: other windows are other "
                    f"states. Make another reader, and a store with representation_{name}={value}."
                )
                raise ValueError(msg)
        if context_window_size is not None:
            self._answers.context_window_size = as_int("context_window_size", context_window_size, least=0)
        if no_ans_boost is not None:
            self._answers.no_ans_boost = as_float("no_ans_boost", no_ans_boost)
        if return_no_answer is not None:
            self.return_no_answers = return_no_answer

    def predict_on_texts(self, question: str, texts: List[str], top_k: Optional[int] = None) -> Dict[str, Any]:
        """
        Answers to one question in texts that are no documents yet.

        :param question: the question.
        :param texts: where to look for answers.
        :param top_k: answers at most; None: the reader's own.
        :return: as `predict`.
        """
        return self.predict(question, [Document(content=text) for text in texts], top_k)
