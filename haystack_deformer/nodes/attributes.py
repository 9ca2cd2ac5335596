"""FARMReader's attributes: those that can be set on a reader in use count at the next question."""

from typing import Any, Dict, Optional

from haystack_deformer.inference import PassageReader
from haystack_deformer.nodes.answers import AnswerBuilder
from haystack_deformer.parameters import as_bool, as_int, as_optional_float


class AnswerAttributes:
    """For a reader with `_reader` and `_answers`, which they are kept in, and `_reading_parameters` of the first."""

    _reader: PassageReader
    _reading_parameters: Dict[str, Any]
    _answers: AnswerBuilder

    @property
    def max_seq_len(self) -> int:
        """Tokens of a question and a window together; it cannot be set, for it decides which states are stored."""
        return self._reader.encoder.model.deformer_config.max_seq_len

    @property
    def doc_stride(self) -> int:
        """Tokens between the starts of two windows; it cannot be set, for the same reason."""
        return self._reader.encoder.model.deformer_config.doc_stride

    @property
    def top_k_per_candidate(self) -> int:
        """Answers of one document at most."""
        return self._reader.top_k_per_passage

    @top_k_per_candidate.setter
    def top_k_per_candidate(self, value: Any) -> None:
        self._reader.top_k_per_passage = as_int("top_k_per_candidate", value)
        # what copies are made with
        self._reading_parameters["top_k_per_passage"] = self._reader.top_k_per_passage

    @property
    def return_no_answers(self) -> bool:
        """Whether "no answer" may be among the answers."""
        return self._answers.return_no_answer

    @return_no_answers.setter
    def return_no_answers(self, value: Any) -> None:
        self._answers.return_no_answer = as_bool("return_no_answers", value)

    @property
    def use_confidence_scores(self) -> bool:
        """Whether scores are in [0, 1] by a sigmoid."""
        return self._answers.use_confidence_scores

    @use_confidence_scores.setter
    def use_confidence_scores(self, value: Any) -> None:
        self._answers.use_confidence_scores = as_bool("use_confidence_scores", value)

    @property
    def confidence_threshold(self) -> Optional[float]:
        """Answers with a lower score are left out; None: none is."""
        return self._answers.confidence_threshold

    @confidence_threshold.setter
    def confidence_threshold(self, value: Any) -> None:
        self._answers.confidence_threshold = as_optional_float("confidence_threshold", value)
