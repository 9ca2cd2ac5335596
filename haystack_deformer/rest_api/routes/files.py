"""Files for the indexing pipeline."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, UploadFile
from haystack.document_stores import SQLDocumentStore
from haystack.nodes import BaseConverter, PreProcessor

from haystack_deformer.document_stores.unfit import UnfitDocumentError, check_classification
from haystack_deformer.rest_api.characters import WholeJSONResponse, check_whole
from haystack_deformer.rest_api.encoding import plain
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.params import BOUNDS, checked_params
from haystack_deformer.rest_api.schema import UploadResponse
from haystack_deformer.rest_api.service import Service, get_service
from haystack_deformer.rest_api.settings import MEGABYTE
from haystack_deformer.rest_api.uploads import accepted_suffixes, saved

router = APIRouter(tags=["file-upload"])


def converter_params(
    remove_numeric_tables: Annotated[bool | None, Form()] = None,
    valid_languages: Annotated[list[str] | None, Form()] = None,
) -> dict[str, Any]:
    """For the converters, from the form."""
    return {"remove_numeric_tables": remove_numeric_tables, "valid_languages": valid_languages}


def _form(name: str) -> Any:
    least, most = BOUNDS[name]
    return Form(ge=least, le=most)


def preprocessor_params(
    clean_whitespace: Annotated[bool | None, Form()] = None,
    clean_empty_lines: Annotated[bool | None, Form()] = None,
    clean_header_footer: Annotated[bool | None, Form()] = None,
    split_by: Annotated[str | None, Form()] = None,
    split_length: Annotated[int | None, _form("split_length")] = None,
    split_overlap: Annotated[int | None, _form("split_overlap")] = None,
    split_respect_sentence_boundary: Annotated[bool | None, Form()] = None,
) -> dict[str, Any]:
    """For the preprocessors, from the form."""
    return dict(locals())


@router.post("/file-upload", response_model=UploadResponse)
def upload_file(
    service: Annotated[Service, Depends(get_service)],
    files: Annotated[list[UploadFile], File()],
    for_converters: Annotated[dict[str, Any], Depends(converter_params)],
    for_preprocessors: Annotated[dict[str, Any], Depends(preprocessor_params)],
    meta: Annotated[str | None, Form()] = "null",
    additional_params: Annotated[str | None, Form()] = "null",
    keep_files: bool = False,
) -> WholeJSONResponse:
    """
    Take in files. `meta` is a JSON object for the documents of all of them; each keeps its own `name`.

    `additional_params` is a JSON object with parameters for the pipeline's nodes. `keep_files=true` leaves the files in
    the server's folder. When it answers, the documents are stored and can be asked about.
    """
    pipeline = service.pipelines.indexing
    if pipeline is None:
        raise HTTPException(501, "Indexing Pipeline is not configured.")
    common = _json_object("meta", meta)
    if isinstance(service.pipelines.document_store, SQLDocumentStore):
        # before a file is written, and for Haystack's own stores, which do not look
        try:
            check_classification(common)
        except UnfitDocumentError as error:
            raise HTTPException(400, str(error)) from error
    params = {
        name: _given(values)
        for kind, values in ((BaseConverter, for_converters), (PreProcessor, for_preprocessors))
        for name in (node.name for node in pipeline.get_nodes_by_class(kind))
        if _given(values)
    }
    additional = _json_object("additional_params", additional_params)
    for name, value in checked_params(pipeline, additional, takes_debug=False).items():
        params[name] = {**params.get(name, {}), **value} if isinstance(value, dict) else value
    converters = pipeline.get_nodes_by_class(BaseConverter)
    limit = service.settings.max_upload_megabytes * MEGABYTE
    with (
        service.uploads.place(),
        saved(files, service.upload_path, accepted_suffixes(converters), limit, keep=keep_files) as written,
        service.work(),
    ):
        record = current_record()
        record.counts["files"] = len(written)
        result = service.take_in(written, common, params)
        documents = result.get("documents", [])
        record.counts["documents"] = len(documents)
        record.document_ids = [document.id for document in documents]
        return WholeJSONResponse({"documents": plain(documents)})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _json_object(name: str, text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text and text.strip() else None
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The field {name} is no JSON: {error}") from error
    if not isinstance(value, (dict, type(None))):
        raise HTTPException(400, f"The field {name} must be a JSON object or null, not {type(value).__name__}.")
    check_whole(f"The field {name}", value)
    return value or {}
