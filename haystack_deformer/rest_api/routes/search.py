"""Questions, and whether the server is there."""

from typing import Annotated

import haystack
from fastapi import APIRouter, Depends, HTTPException

from haystack_deformer.rest_api.characters import WholeJSONResponse, has_half_character
from haystack_deformer.rest_api.encoding import plain
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.params import checked_params
from haystack_deformer.rest_api.schema import QueryRequest, QueryResponse
from haystack_deformer.rest_api.service import Service, get_service

router = APIRouter(tags=["search"])


@router.get("/initialized")
async def check_status() -> bool:
    """Whether the server takes requests: it answers as soon as the pipelines are loaded, however busy it is."""
    return True


@router.get("/hs_version")
async def haystack_version() -> dict[str, str]:
    """The version of Haystack."""
    return {"hs_version": haystack.__version__}


@router.post("/query", response_model=QueryResponse, response_model_exclude_none=True)
def query(request: QueryRequest, service: Annotated[Service, Depends(get_service)]) -> WholeJSONResponse:
    """
    Ask a question. `params` go to the pipeline's nodes: `{"Retriever": {"top_k": 10}, "Reader": {"top_k": 3}}`.

    The header Server-Timing says how long each node took, and each part of reading.
    """
    if not request.query.strip():
        raise HTTPException(400, "The question is empty: give at least one word.")
    if has_half_character(request.query):
        raise HTTPException(400, "The question has half a character in it (a lone surrogate).")
    params = checked_params(service.pipelines.query, request.params)
    with service.questions.place(), service.work():
        result = service.ask(request.query, params, debug=bool(request.debug))
        record = current_record()
        answers, documents = result["answers"], result["documents"]
        record.counts.update(documents=len(documents), answers=len(answers))
        record.document_ids = [name for answer in answers for name in answer.document_ids or ()]
        body = {"query": request.query, "answers": answers, "documents": documents}
        if "results" in result:
            body["results"] = result["results"]
        if "_debug" in result:
            body["_debug"] = result["_debug"]
        return WholeJSONResponse(plain(body))


@router.post("/query-streaming")
async def query_streaming(request: QueryRequest) -> None:  # noqa: ARG001  # the body is checked as that of /query
    """Of Haystack's server, for pipelines that write text word by word: this one answers 501."""
    raise HTTPException(501, "This server does not stream: send the same request to /query.")
