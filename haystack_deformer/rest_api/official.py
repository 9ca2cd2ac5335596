"""
The official `rest_api` package's application, with our nodes known to it.

`PIPELINE_YAML_PATH=pipelines.yml uvicorn haystack_deformer.rest_api.official:app`
"""

from importlib import import_module
from importlib.util import find_spec

import haystack_deformer.document_stores
import haystack_deformer.nodes  # noqa: F401  # the pipelines are loaded when the application is imported

if find_spec("rest_api") is None:
    msg = (
        "Haystack's own server, the package rest_api, is not installed. It is the folder rest_api of Haystack's "
        "repository, branch v1.x: pip install ./haystack/rest_api. Or start this package's: haystack-deformer serve."
    )
    raise ImportError(msg)

app = import_module("rest_api.application").app
