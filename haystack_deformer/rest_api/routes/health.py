"""How the server is: for people, and for Prometheus."""

from typing import Annotated

import haystack
from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from haystack_deformer.rest_api.process import cpu_percent, gpus, memory_percent
from haystack_deformer.rest_api.service import Service, get_service

router = APIRouter(tags=["health"])


class Usage(BaseModel):
    """Percent."""

    used: float


class GPUUsage(BaseModel):
    """Of one GPU; megabytes."""

    kernel_usage: float
    memory_total: int
    memory_used: int | None = None


class GPUInfo(BaseModel):
    """A GPU."""

    index: int
    usage: GPUUsage


class HealthResponse(BaseModel):
    """What the process takes of the machine."""

    version: str
    cpu: Usage
    memory: Usage
    gpus: list[GPUInfo] = []


@router.get("/health", response_model=HealthResponse)
def get_health_status() -> HealthResponse:
    """What the server takes of the machine's processors and memory, since the last time it was asked."""
    # in a thread, unlike /initialized: the drivers of GPUs may take their time
    return HealthResponse(
        version=haystack.__version__,
        cpu=Usage(used=cpu_percent()),
        memory=Usage(used=memory_percent()),
        gpus=[GPUInfo(index=number, usage=GPUUsage(**usage)) for number, usage in enumerate(gpus())],
    )


@router.get("/metrics", response_class=Response)
async def metrics(service: Annotated[Service, Depends(get_service)]) -> Response:
    """Prometheus' metrics."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
