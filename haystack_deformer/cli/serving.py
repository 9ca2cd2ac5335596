"""`serve`: the pipelines of a YAML file over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors
from haystack_deformer.rest_api.settings import ServerSettings


@app.command()
def serve(
    pipeline: Annotated[
        Path,
        typer.Option(help="YAML file with the pipelines.", envvar="PIPELINE_YAML_PATH", exists=True, dir_okay=False),
    ],
    query_pipeline: Annotated[
        str, typer.Option("--query-pipeline", help="Pipeline that answers questions.", envvar="QUERY_PIPELINE_NAME")
    ] = ServerSettings.query_pipeline,
    indexing_pipeline: Annotated[
        str, typer.Option(help="Pipeline that indexes uploaded files.", envvar="INDEXING_PIPELINE_NAME")
    ] = ServerSettings.indexing_pipeline,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    concurrency_limit: Annotated[
        int,
        typer.Option(
            help="Questions at once, and as many uploads and requests for feedback or documents; further ones get 503.",
            envvar="CONCURRENT_REQUEST_PER_WORKER",
            min=1,
        ),
    ] = ServerSettings.concurrency_limit,
    file_upload_path: Annotated[
        Path | None, typer.Option(help="Folder for uploads. Default: a temporary one.", envvar="FILE_UPLOAD_PATH")
    ] = None,
    max_upload_megabytes: Annotated[
        int, typer.Option(help="Size of one upload, at most.", envvar="MAX_UPLOAD_MEGABYTES", min=1)
    ] = ServerSettings.max_upload_megabytes,
    max_upload_documents: Annotated[
        int,
        typer.Option(help="Documents one upload may be split into.", envvar="MAX_UPLOAD_DOCUMENTS", min=1),
    ] = ServerSettings.max_upload_documents,
    max_request_megabytes: Annotated[
        int, typer.Option(help="Size of any other request, at most.", envvar="MAX_REQUEST_MEGABYTES", min=1)
    ] = ServerSettings.max_request_megabytes,
    root_path: Annotated[
        str,
        typer.Option(help="Path under which a proxy serves it, /qa for example.", envvar="ROOT_PATH"),
    ] = ServerSettings.root_path,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Web page that may call the API, https://example.org. Repeat for several.", envvar="CORS_ORIGINS"
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Host name by which the server may be addressed, qa.example.org. Repeat for several. Default: any.",
            envvar="ALLOWED_HOSTS",
        ),
    ] = None,
) -> None:
    """Serve pipelines as Haystack's REST API does, with a page for questions. See docs/deployment.md."""
    with clear_errors():
        from haystack_deformer.rest_api import create_app, require_extra

        require_extra()
        import uvicorn

        from haystack_deformer.rest_api.observing import log_to_stderr

        settings = ServerSettings(
            pipeline=pipeline,
            query_pipeline=query_pipeline,
            indexing_pipeline=indexing_pipeline,
            file_upload_path=file_upload_path,
            concurrency_limit=concurrency_limit,
            max_upload_megabytes=max_upload_megabytes,
            max_upload_documents=max_upload_documents,
            max_request_megabytes=max_request_megabytes,
            root_path=root_path,
            cors_origins=tuple(cors_origin or ()),
            allowed_hosts=tuple(allowed_host or ()),
        )
        log_to_stderr()
        # uvicorn's own line for each request would say the same a second time
        uvicorn.run(create_app(settings), host=host, port=port, access_log=False, log_level="info")
