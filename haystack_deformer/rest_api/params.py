"""The `params` of a request against the pipeline's nodes: what cannot work is said before anything runs."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from haystack_deformer.rest_api.filters import checked_filters
from haystack_deformer.rest_api.pipelines import ServedPipeline

_MOST = 1_000
"""Documents or answers; faiss takes memory for as many as are asked for, whether or not they are there."""

_LEAST = {"split_length": 1, "split_overlap": 0}

_INPUTS = {"query", "queries", "documents", "file_paths", "labels", "root_node"}


def checked_params(
    pipeline: ServedPipeline, params: dict[str, Any] | None, *, takes_debug: bool = True
) -> dict[str, Any]:
    """
    The parameters of a request.

    :param pipeline: that they are for.
    :param params: by node, or for all nodes that know one.
    :param takes_debug: whether the response has room for what nodes say of themselves.
    :raises HTTPException: 400, says what is wrong.
    """
    params = params or {}
    nodes = pipeline.arguments()
    everywhere = {"debug"} if takes_debug else set()
    known = set().union(*nodes.values(), everywhere) - _INPUTS
    for name, value in params.items():
        if name in nodes:
            if not isinstance(value, dict):
                raise HTTPException(400, f"params.{name} must be an object with the node's parameters, not {value!r}.")
            for key, item in value.items():
                if key not in (nodes[name] - _INPUTS) | everywhere:
                    raise HTTPException(
                        400, f"The node {name} has no parameter {key!r}, only {sorted(nodes[name] - _INPUTS)}."
                    )
                _check(f"params.{name}.{key}", key, item)
        elif name in known:
            _check(f"params.{name}", name, value)
        else:
            raise HTTPException(
                400, f"params.{name} is neither a node of the pipeline ({sorted(nodes)}) nor a parameter of one."
            )
    return params


def _check(path: str, key: str, value: Any) -> None:
    if value is None:
        return
    if key == "top_k" and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST):
        raise HTTPException(400, f"{path} must be a whole number from 1 to {_MOST}, not {value!r}.")
    if key in _LEAST and (not isinstance(value, int) or isinstance(value, bool) or value < _LEAST[key]):
        raise HTTPException(400, f"{path} must be a whole number from {_LEAST[key]} on, not {value!r}.")
    if key == "debug" and not isinstance(value, bool):
        raise HTTPException(400, f"{path} must be true or false, not {value!r}.")
    if key == "filters":
        if not isinstance(value, dict):
            raise HTTPException(400, f"{path} must be an object, not {value!r}.")
        checked_filters(value)
