"""`evaluate`: how good a model is from stored states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haystack_deformer.cli.app import Backend, Codec, Dtype, LowerLayers, Model, app, clear_errors

if TYPE_CHECKING:
    from haystack_deformer.squad import SquadExample


@app.command()
def evaluate(
    model: Model,
    data: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    lower_layers: LowerLayers = None,
    codec: Codec = "SQfp16",
    backend: Backend = "torch",
    dtype: Dtype = "float32",
    batch_size: Annotated[int, typer.Option(help="Windows that run at once.", min=1)] = 50,
    held_out: Annotated[
        float | None, typer.Option(help="Ask only about this share of the passages, the ones that `train` holds out.")
    ] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write the answers here, as JSON by question id.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Answers of another model, as --predictions writes them, to compare with.")
    ] = None,
) -> None:
    """Exact match and F1 from stored states, by the arithmetic of the official SQuAD script."""
    with clear_errors():
        from haystack_deformer.evaluation import compare, score
        from haystack_deformer.evaluation import evaluate as run
        from haystack_deformer.files import check_apart
        from haystack_deformer.passages import default_device, load_encoder
        from haystack_deformer.squad import load_squad

        encoder = load_encoder(model, lower_layers=lower_layers, device=default_device(backend))
        examples, report = load_squad(data, keep_misplaced=True)
        typer.echo(f"{report}.", err=True)
        if held_out is not None:
            examples = _held_out(examples, held_out)
        # before the evaluation, which may take long
        if predictions is not None:
            check_apart(predictions, [*data, *([] if baseline is None else [baseline])])
            if predictions.is_dir():
                msg = f"--predictions {str(predictions)!r} is a folder: give the name of a file."
                raise ValueError(msg)
            predictions.parent.mkdir(parents=True, exist_ok=True)
        other = None if baseline is None else score(examples, _answers(baseline))
        runtime = encoder.runtime(backend, dtype)
        result = run(encoder, examples, codec=codec, runtime=runtime, batch_size=batch_size)
        summary: dict[str, Any] = {name: round(value, 2) for name, value in result.metrics.items()}
        if other is not None:
            summary["against_baseline"] = {name: str(value) for name, value in compare(result, other).items()}
        settings = {"lower_layers": encoder.model.lower_layers, "codec": codec, "backend": backend, "dtype": dtype}
        typer.echo(json.dumps({**settings, **summary}))
        if predictions is not None:
            text = json.dumps(result.predictions, indent=2, ensure_ascii=False)
            # half of a character that needs two is written as JSON's escape of it
            predictions.write_text(text, encoding="utf-8", errors="backslashreplace")


def _answers(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{str(path)!r} is not JSON: {error}"
        raise ValueError(msg) from error
    if not isinstance(found, dict) or not all(isinstance(answer, str) for answer in found.values()):
        msg = f"{str(path)!r} must hold one JSON object with an answer, text, for each question's id."
        raise ValueError(msg)
    return found


def _held_out(examples: list[SquadExample], share: float) -> list[SquadExample]:
    from haystack_deformer.squad import split_held_out

    if not 0 < share < 1:
        msg = f"held_out is a share of the passages between 0 and 1, got {share}."
        raise ValueError(msg)
    asked = split_held_out(examples, share)[1]
    if not asked:
        msg = f"None of the {len(examples)} questions is on a held-out passage (held_out={share}): raise the share."
        raise ValueError(msg)
    return asked
