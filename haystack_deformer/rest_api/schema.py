"""
Requests and responses of Haystack v1's REST API.

Models of our own and not Haystack's dataclasses: those are pydantic 1's, these are read by pydantic 1 and 2.
"""

# FastAPI reads these types when the application is made
from typing import Any, Dict, List, Literal, Optional, Union  # noqa: UP035

from haystack.schema import Answer, Document, Label
from pydantic import BaseModel, Field, StrictBool, StrictStr, validator

# ruff: noqa: UP006, UP007, UP045

_LONGEST_QUERY = 10_000


class RequestModel(BaseModel):
    """A field that nobody reads is a mistake, and is said."""

    class Config:
        """Pydantic's."""

        extra = "forbid"

    @classmethod
    def validate(cls, value: Any) -> Any:
        """Refuse a list, of which pydantic 1 makes a dictionary: to delete by the filters `[]` would mean by none."""
        if isinstance(value, (list, tuple)):
            msg = "must be an object"
            raise ValueError(msg)
        return super().validate(value)

    @validator("params", "filters", "meta", pre=True, check_fields=False)
    def _no_list(cls, value: Any) -> Any:  # noqa: N805  # a class method, by pydantic's decorator
        # the same for fields that are dictionaries
        if isinstance(value, list):
            msg = "must be an object"
            raise ValueError(msg)
        return value


class QueryRequest(RequestModel):
    """A question, and parameters for the pipeline's nodes."""

    query: StrictStr = Field(min_length=1, max_length=_LONGEST_QUERY)
    params: Optional[Dict[str, Any]] = None
    debug: Optional[StrictBool] = False


class FilterRequest(RequestModel):
    """Filters on documents' meta; none: all documents."""

    filters: Optional[Dict[str, Any]] = None


class SpanModel(RequestModel):
    """Characters of a text."""

    start: int
    end: int


class TableCellModel(RequestModel):
    """A cell of a table."""

    row: int
    col: int


class DocumentModel(RequestModel):
    """A document as Haystack writes it."""

    id: Optional[str] = None
    content: Union[StrictStr, List[List[Any]]]
    content_type: Literal["text", "table", "image", "audio"] = "text"
    meta: Optional[Dict[str, Any]] = None
    id_hash_keys: Optional[List[str]] = None
    score: Optional[float] = None
    embedding: Optional[List[float]] = None


class AnswerModel(RequestModel):
    """An answer as Haystack writes it; `document_id` is from releases before 1.16."""

    answer: str
    type: Literal["generative", "extractive", "other"] = "extractive"
    score: Optional[float] = None
    context: Optional[Union[StrictStr, List[List[Any]]]] = None
    offsets_in_document: Optional[List[Union[SpanModel, TableCellModel]]] = None
    offsets_in_context: Optional[List[Union[SpanModel, TableCellModel]]] = None
    document_id: Optional[str] = None
    document_ids: Optional[List[str]] = None
    meta: Optional[Dict[str, Any]] = None


class CreateLabelRequest(RequestModel):
    """Feedback on an answer."""

    id: Optional[str] = None
    query: str
    document: DocumentModel
    is_correct_answer: StrictBool
    is_correct_document: StrictBool
    origin: Literal["user-feedback", "gold-label"]
    answer: Optional[AnswerModel] = None
    no_answer: Optional[bool] = None
    pipeline_id: Optional[str] = None
    created_at: Optional[str] = None
    updated_at: Optional[str] = None
    meta: Optional[Dict[str, Any]] = None
    filters: Optional[Dict[str, Any]] = None

    def to_label(self) -> Label:
        """Haystack's label; its `no_answer` follows from the answer."""
        values = self.dict(exclude={"document", "answer", "no_answer"})
        answer = None
        if self.answer is not None:
            given = self.answer.dict(exclude_none=True)
            if "document_ids" in given:
                given.pop("document_id", None)
            answer = Answer.from_dict(given)
        document = Document.from_dict(self.document.dict(exclude_none=True))
        return Label(**values, document=document, answer=answer)


class LabelModel(CreateLabelRequest):
    """A label as it comes back."""


class QueryResponse(BaseModel):
    """Answers, best first, and the documents that were read for them; `results` are of nodes that write text."""

    query: str
    answers: List[AnswerModel] = []
    documents: List[DocumentModel] = []
    results: Optional[List[str]] = None
    debug: Optional[Dict[str, Any]] = Field(None, alias="_debug")


class UploadResponse(BaseModel):
    """What an upload was made into."""

    documents: List[DocumentModel] = []


class FeedbackMetrics(BaseModel):
    """How often users found the answers right."""

    answer_accuracy: Optional[float] = None
    document_accuracy: Optional[float] = None
    n_feedback: int
