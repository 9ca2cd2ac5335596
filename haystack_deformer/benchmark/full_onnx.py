"""The full model in ONNX Runtime, a passage at a time on all threads, as a user would run it without a cut."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from haystack.schema import Document
from transformers import AutoModelForQuestionAnswering, AutoTokenizer, PreTrainedModel

from haystack_deformer.digests import digest_checkpoint
from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.nodes.answers import AnswerBuilder
from haystack_deformer.reading import TextSpan, best_spans, merge_windows
from haystack_deformer.runtime.onnx_export import export, quantize, scratch_beside

_MAX_SEQ_LEN = 256
_DOC_STRIDE = 128
_MOST_BYTES = 2 << 30
"""Of one ONNX file, a protocol buffer."""


class FullOnnxReader:
    """
    A plain checkpoint, exported as it is: real lengths, segment ids, a window at a time on all threads.

    :param model_name_or_path: name or folder of a question-answering checkpoint.
    :param folder: where graphs are written; those of other weights are told apart by their names.
    :param dtype: "float32", or "int8" for ONNX Runtime's dynamic quantisation.
    :raises OSError: for a model that is too large to be quantised.
    """

    def __init__(self, model_name_or_path: str, folder: str | os.PathLike[str], dtype: str = "float32") -> None:
        import onnxruntime  # noqa: PLC0415  # of the extra [onnx]

        self.tokenizer = AutoTokenizer.from_pretrained(model_name_or_path)
        # how it truncates is its state, which one thread at a time may change
        self._tokenizing = Lock()
        self._names = [name for name in self.tokenizer.model_input_names if name != "attention_mask"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        path = self._export(model_name_or_path, Path(folder) / digest_checkpoint(model_name_or_path), dtype)
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._answers = AnswerBuilder(
            DeFormerConfig(lower_layers=0),
            context_window_size=150,
            no_ans_boost=0.0,
            return_no_answer=False,
            use_confidence_scores=True,
            confidence_threshold=None,
        )

    def _export(self, model_name_or_path: str, folder: Path, dtype: str) -> Path:
        path = folder / "full.onnx"
        if not path.is_file():
            model = AutoModelForQuestionAnswering.from_pretrained(model_name_or_path, use_safetensors=True).eval()
            example = self.tokenizer("question", "passage", return_tensors="pt")
            inputs = tuple(example[name] for name in self._names)
            with scratch_beside(path) as scratch:
                made = scratch / path.name
                export(_Spans(model, self._names).eval(), inputs, self._names, ("start_logits", "end_logits"), made)
                # weights of more than 2 GiB are in files of their own; the graph comes last: all are there then
                for file in sorted(scratch.iterdir(), key=made.__eq__):
                    file.replace(folder / file.name)
        if dtype == "float32":
            return path
        quantized = folder / "full-int8.onnx"
        if not quantized.is_file():
            size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
            if size > _MOST_BYTES:
                msg = f"The graph has {size >> 20:,} MiB, and ONNX Runtime quantises up to 2 GiB: float32 alone."
                raise OSError(msg)
            with scratch_beside(quantized) as scratch:
                made = scratch / quantized.name
                quantize(path, made)
                made.replace(quantized)
        return quantized

    def predict(self, query: str, documents: list[Document], top_k: int = 10) -> dict[str, Any]:
        """
        Answers to one question, as Haystack's readers give them.

        :param query: the question.
        :param documents: where to look for answers.
        :param top_k: answers at most.
        """
        # transformers' stride is what two windows share, and that of FARM and ours from start to start
        with self._tokenizing:
            asked = len(self.tokenizer(query, add_special_tokens=False)["input_ids"])
        room = _MAX_SEQ_LEN - asked - self.tokenizer.num_special_tokens_to_add(pair=True)
        shared = max(0, room - _DOC_STRIDE)
        spans = [self._read(query, document.content, shared) for document in documents]
        answers, gap = self._answers.build(documents, spans, top_k)
        return {"query": query, "no_ans_gap": gap, "answers": answers}

    def _read(self, query: str, text: str, shared: int) -> list[TextSpan]:
        with self._tokenizing:
            encoded = self.tokenizer(
                query,
                text,
                truncation="only_second",
                max_length=_MAX_SEQ_LEN,
                stride=shared,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
        windows = []
        for number in range(len(encoded["input_ids"])):
            inputs = {name: np.array([encoded[name][number]], dtype=np.int64) for name in self._names}
            starts, ends = self._session.run(None, inputs)
            # the question's tokens answer nothing: no characters of the passage
            of_passage = np.array([part == 1 for part in encoded.sequence_ids(number)])
            offsets = np.array(encoded["offset_mapping"][number], dtype=np.uint32) * of_passage[:, None]
            windows += best_spans(starts, ends, [offsets[1:].astype(np.uint32)])
        return merge_windows(windows, 3)


class _Spans(torch.nn.Module):
    """The checkpoint with inputs by position, as tracing wants them; no mask, since nothing is padded."""

    def __init__(self, model: PreTrainedModel, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.model(**dict(zip(self.names, inputs, strict=True)))
        return logits.start_logits, logits.end_logits
