"""What users say of answers."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from haystack.document_stores.filter_utils import LogicalFilterClause
from haystack.schema import Label

from haystack_deformer.rest_api.characters import WholeJSONResponse, check_whole
from haystack_deformer.rest_api.encoding import plain_label
from haystack_deformer.rest_api.filters import checked_filters
from haystack_deformer.rest_api.indexes import check_kind
from haystack_deformer.rest_api.schema import CreateLabelRequest, FeedbackMetrics, FilterRequest, LabelModel
from haystack_deformer.rest_api.service import Service, get_service
from haystack_deformer.rest_api.squad import squad_entry

router = APIRouter(tags=["feedback"])

TheService = Annotated[Service, Depends(get_service)]


@router.post("/feedback")
def post_feedback(feedback: CreateLabelRequest, service: TheService, index: str | None = None) -> None:
    """Say of an answer whether it was right, and whether the document was. `index` is that of the labels."""
    check_whole("The feedback", feedback)
    check_kind(service.document_store, index, Label)
    with service.records.place(), service.work():
        try:
            label = feedback.to_label()
        except (ValueError, TypeError, IndexError) as error:  # the last for a table without rows
            raise HTTPException(400, f"This is no label: {error}") from error
        service.document_store.write_labels([label], index=index)


@router.get("/feedback", response_model=list[LabelModel])
def get_feedback(service: TheService, index: str | None = None) -> WholeJSONResponse:
    """All that was said."""
    check_kind(service.document_store, index, Label)
    with service.records.place(), service.work():
        return WholeJSONResponse([plain_label(label) for label in service.document_store.get_all_labels(index=index)])


@router.delete("/feedback")
def delete_feedback(service: TheService, index: str | None = None) -> None:
    """Delete what users said; labels of another origin stay."""
    check_kind(service.document_store, index, Label)
    with service.records.place(), service.work():
        # no ids would mean all labels
        if ids := [label.id for label in _by_users(service, index)]:
            service.document_store.delete_labels(ids=ids, index=index)


@router.post("/eval-feedback", response_model=FeedbackMetrics)
def get_feedback_metrics(
    service: TheService, filters: FilterRequest | None = None, index: str | None = None
) -> dict[str, Any]:
    """How often answers and documents were right: of all labels, or of those that fit: `{"query": ["..."]}`."""
    check_kind(service.document_store, index, Label)
    wanted = checked_filters(filters.filters if filters else None)
    fits = LogicalFilterClause.parse(wanted).evaluate if wanted else None
    with service.records.place(), service.work():
        try:
            labels = [label for label in _by_users(service, index) if fits is None or fits(_fields(label))]
        except TypeError as error:  # a text is neither before nor after a number
            raise HTTPException(400, f"The filters {wanted!r} do not fit the labels: {error}") from error
    count = len(labels)
    return {
        "answer_accuracy": sum(bool(label.is_correct_answer) for label in labels) / count if count else None,
        "document_accuracy": sum(bool(label.is_correct_document) for label in labels) / count if count else None,
        "n_feedback": count,
    }


@router.get("/export-feedback")
def export_feedback(
    service: TheService,
    context_size: Annotated[int, Query(ge=1)] = 100_000,
    full_document_context: bool = True,
    only_positive_labels: bool = False,
    index: str | None = None,
) -> WholeJSONResponse:
    """
    What users said, as SQuAD-format data, which `haystack-deformer train` reads.

    `full_document_context=false` cuts documents to `context_size` characters around the answer.
    """
    check_kind(service.document_store, index, Label)
    with service.records.place(), service.work():
        labels = _by_users(service, index)
    # right document and wrong answer: neither an example of an answer nor of a passage without one
    labels = [label for label in labels if label.is_correct_answer or not label.is_correct_document]
    if only_positive_labels:
        labels = [label for label in labels if label.is_correct_answer]
    size = None if full_document_context else context_size
    entries = [squad_entry(label, size) for label in labels]
    return WholeJSONResponse({"data": [entry for entry in entries if entry is not None]})


def _by_users(service: Service, index: str | None) -> list[Label]:
    # not every store heeds filters on labels
    return [label for label in service.document_store.get_all_labels(index=index) if label.origin == "user-feedback"]


def _fields(label: Label) -> dict[str, Any]:
    """What filters are compared with: of the meta of the label's document, of the label, and the document's id."""
    return {**(label.document.meta or {}), **vars(label), "document_id": label.document.id}
