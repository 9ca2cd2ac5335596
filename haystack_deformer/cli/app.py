"""What all commands share: the application, the log, errors in a line, options of the same name."""

import logging
import sys
from typing import Annotated

import typer

app = typer.Typer(
    help="DeFormer for Haystack: choose a cut, train, evaluate, index a folder of texts, ask it, serve a pipeline.",
    no_args_is_help=True,
    # frames and columns cut the names of options off where a terminal is narrow
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Model = Annotated[str, typer.Option(help="Name or folder of a question-answering checkpoint or an encoder.")]
LowerLayers = Annotated[
    int | None, typer.Option(help="The cut k, 0 to layers - 1. Default: the model's, else 3/4 of the layers.", min=0)
]
Codec = Annotated[str, typer.Option(help="faiss codec of the states: SQfp16, SQ8, SQ4, Flat, OPQ..,PQ..")]

Backend = Annotated[str, typer.Option(help="What runs the upper layers: torch or onnx.")]
Dtype = Annotated[str, typer.Option(help="Precision of the matrix products: float32, bfloat16 (torch), int8 (onnx).")]

_EXTRAS = {
    "accelerate": "haystack-deformer[train]",
    "psutil": "haystack-deformer[train,bench]",
    "sklearn": "haystack-deformer[train]",
}
"""Modules that come with an extra alone and are imported by files that need them throughout."""


@app.callback()
def _main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, not only warnings.")] = False,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("haystack_deformer").setLevel(logging.INFO if verbose else logging.WARNING)


class clear_errors:  # noqa: N801  # reads as a statement
    """What a user can mend is said in a line; what only we can mend keeps its traceback."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        kinds: list[type[BaseException]] = [ValueError, OSError, FloatingPointError, ImportError]
        # an error of a package that was not imported cannot be this one, and importing Haystack to ask takes seconds
        for module, name in (
            ("haystack.errors", "HaystackError"),
            ("haystack_deformer.representations", "RepresentationStoreError"),
            # of a disk that is full
            ("safetensors", "SafetensorError"),
        ):
            if module in sys.modules:
                kinds.append(getattr(sys.modules[module], name))
        if isinstance(error, tuple(kinds)):
            remedy = _EXTRAS.get(getattr(error, "name", None) or "")
            typer.echo(f"Error: {error}{f': pip install {remedy!r}.' if remedy else ''}", err=True)
            raise typer.Exit(code=2) from error
