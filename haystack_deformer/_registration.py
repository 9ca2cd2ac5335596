"""
Makes our nodes known to Haystack, which finds a node of a YAML file among the classes that were imported.

`import haystack` takes seconds and loads torch, so `import haystack_deformer` does not import it: the nodes are
registered as soon as both packages are imported, in whatever order.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_MODULES = ("haystack_deformer.document_stores", "haystack_deformer.nodes")


def register() -> None:
    """Register now where Haystack is imported already, else right after it will be."""
    if "haystack" in sys.modules:
        _import_nodes()
    elif not any(isinstance(finder, _AfterHaystack) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterHaystack())


def _import_nodes() -> None:
    for name in _MODULES:
        importlib.import_module(name)


class _AfterHaystack(MetaPathFinder):
    """Finds nothing itself: lets the others find Haystack, and our nodes follow when it has run."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != "haystack" or self._asking:
            return None
        self._asking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asking = False
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_register(module: ModuleType) -> None:
            run(module)
            # here and not above: who asks whether Haystack is installed does not import it
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _import_nodes()

        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec
