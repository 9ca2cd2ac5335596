"""Documents of the store, by their meta."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from haystack.errors import FilterError
from haystack.schema import Document

from haystack_deformer.rest_api.characters import WholeJSONResponse
from haystack_deformer.rest_api.encoding import plain
from haystack_deformer.rest_api.filters import checked_filters
from haystack_deformer.rest_api.indexes import check_kind
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.schema import DocumentModel, FilterRequest
from haystack_deformer.rest_api.service import Service, get_service

router = APIRouter(tags=["document"])

_REFUSALS = (FilterError, ValueError, TypeError, AttributeError, KeyError)
"""What filters of the wrong form make the stores raise; nothing else of these requests is the client's."""


@router.post("/documents/get_by_filters", response_model=list[DocumentModel], response_model_exclude_none=True)
def get_documents(
    filters: FilterRequest, service: Annotated[Service, Depends(get_service)], index: str | None = None
) -> WholeJSONResponse:
    """Documents whose meta fits: `{"filters": {"name": ["some", "more"]}}`. All for `{"filters": {}}`."""
    wanted = checked_filters(filters.filters)
    check_kind(service.document_store, index, Document)
    with service.records.place(), service.work():
        try:
            documents = service.document_store.get_all_documents(filters=wanted, index=index)
        except _REFUSALS as error:
            raise _refusal(filters, error) from error
        current_record().counts["documents"] = len(documents)
        return WholeJSONResponse(plain(documents))


@router.post("/documents/delete_by_filters", response_model=bool)
def delete_documents(
    filters: FilterRequest, service: Annotated[Service, Depends(get_service)], index: str | None = None
) -> bool:
    """Delete the documents whose meta fits, and what was computed for them. All for `{"filters": {}}`."""
    wanted = checked_filters(filters.filters)
    check_kind(service.document_store, index, Document)
    with service.records.place(), service.work():
        try:
            service.document_store.delete_documents(filters=wanted, index=index)
        except _REFUSALS as error:
            raise _refusal(filters, error) from error
        service.forget_deleted()
        return True


def _refusal(filters: FilterRequest, error: Exception) -> Exception:
    if not filters.filters:
        return error
    return HTTPException(400, f"The document store refused the filters {filters.filters!r}: {error}")
