"""
Measure trained models on one set of questions, and write the table and the plots of docs/accuracy.md.

    python docs/accuracy/measure.py measure --data xquad.en.json --teacher DIR --run "distilled=DIR" --codecs SQ8
    python docs/accuracy/measure.py show

`measure` adds to `results.json`, so that models can be measured as they come; `show` needs no model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import numpy as np
import typer
from matplotlib import pyplot as plt

from haystack_deformer.evaluation import compare, evaluate, evaluate_codecs
from haystack_deformer.modeling.costs import compute_ratio
from haystack_deformer.passages import PassageEncoder, load_encoder
from haystack_deformer.representations import RepresentationCodec
from haystack_deformer.squad import SquadExample, load_squad
from haystack_deformer.training.settings_file import SETTINGS_FILE, read_settings

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PASSAGES = 10
"""Of a question, for the compute saved."""

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def measure(
    data: Annotated[Path, typer.Option(help="SQuAD-format JSON.")],
    teacher: Annotated[Path, typer.Option(help="The model with full attention that the others are compared with.")],
    run: Annotated[list[str], typer.Option(help="How it was trained, an equals sign, the model's folder.")],
    codecs: Annotated[list[str], typer.Option(help="Codecs that the states go through.")],
    teacher_name: Annotated[str, typer.Option(help="What the table calls the teacher.")] = "teacher",
) -> None:
    """Exact match and F1 of models through codecs, compared with their teacher."""
    examples = load_squad([data], keep_misplaced=True)[0]
    baseline = evaluate(load_encoder(teacher), examples, codec="Flat")
    rows = {(row["how"], row["lower_layers"], row["codec"]): row for row in _rows()}
    measured = [(teacher_name, teacher, {"Flat": baseline})]
    _keep_settings(teacher_name, teacher)
    for how, folder in (one.split("=", 1) for one in run):
        measured.append((how, Path(folder), evaluate_codecs(load_encoder(folder), examples, codecs)))
        _keep_settings(how, Path(folder))
    for how, folder, results in measured:
        encoder = load_encoder(folder)
        cut = encoder.model.lower_layers
        lengths = _lengths(encoder, examples)
        for codec, result in results.items():
            difference = compare(result, baseline)
            code_size = RepresentationCodec(codec, encoder.model.backbone.hidden_size).code_size
            saved = compute_ratio(encoder.model.config, cut, passages=PASSAGES, **lengths)
            rows[how, cut, codec] = {
                "how": how,
                "lower_layers": cut,
                "codec": codec,
                "exact": round(result.exact, 4),
                "f1": round(result.f1, 4),
                "total": result.total,
                "exact_to_teacher": str(difference["exact"]),
                "f1_to_teacher": str(difference["f1"]),
                "times_less_computed": round(saved, 2),
                "bytes_per_passage": lengths["passage_length"] * code_size if cut else 0,
                **lengths,
            }
    RESULTS.write_text(json.dumps(list(rows.values()), indent=1) + "\n", encoding="utf-8")


def _lengths(encoder: PassageEncoder, examples: Sequence[SquadExample]) -> dict[str, int]:
    """Mean tokens of a question and of a passage."""
    questions = [len(encoder.tokenizer.question(example.question)) for example in examples]
    passages = encoder.tokenizer.passages(sorted({example.context for example in examples}))
    return {
        "question_length": round(np.mean(questions)),
        "passage_length": round(np.mean([sum(map(len, passage.window_ids)) for passage in passages])),
    }


@app.command()
def show() -> None:
    """Print the tables, draw the plots."""
    mpl.use("agg")
    rows = _rows()
    exact = [row for row in rows if row["codec"] in _EXACT]
    compressed = {(row["how"], row["lower_layers"]) for row in rows if row not in exact}
    coded = [row for row in rows if (row["how"], row["lower_layers"]) in compressed]
    typer.echo("\n".join([*_table(exact), "", *_codec_table(coded)]))
    for column, label, chosen in (
        ("times_less_computed", "times less computed for a question", exact),
        ("bytes_per_passage", "bytes a passage", coded),
    ):
        figure, axes = plt.subplots(figsize=(10, 5), layout="constrained")
        # as many as models, in order
        axes.set_prop_cycle(color=plt.colormaps["turbo"](np.linspace(0, 1, len({row["how"] for row in chosen}))))
        for how in dict.fromkeys(row["how"] for row in chosen):
            points = sorted((row[column], row["f1"], row) for row in chosen if row["how"] == how)
            axes.plot(*zip(*((x, y) for x, y, _ in points), strict=True), marker="o", label=how)
            for x, y, row in points:
                name = f"k={row['lower_layers']}" + ("" if row["codec"] in _EXACT else f" {row['codec']}")
                axes.annotate(name, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)
        axes.set(xlabel=label, ylabel="F1", xscale="log")
        values = sorted({row[column] for row in chosen})
        axes.set_xticks(values, [f"{value:,.3g}" if value < 100 else f"{value:,}" for value in values])
        axes.minorticks_off()
        # beside the points: there are many
        figure.legend(fontsize=8, loc="outside right upper")
        figure.savefig(HERE / f"f1-{column.replace('_', '-')}.png", dpi=110)
        plt.close(figure)


_EXACT = ("Flat", "SQfp16")


def _rows() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each model, its states in fp16."""
    yield from _head("how", "k", "exact", "F1", "F1 minus the teacher's", "times less computed")
    for row in rows:
        less = row["f1_to_teacher"] if row["lower_layers"] else ""
        cells = (row["how"], row["lower_layers"], f"{row['exact']:.1f}", f"{row['f1']:.1f}", less)
        yield f"| {' | '.join(map(str, cells))} | {row['times_less_computed']:.1f} |"


def _codec_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each model, a column for each codec."""
    codecs = list(dict.fromkeys((row["codec"], row["bytes_per_passage"]) for row in rows))
    yield from _head("how", "k", *(f"`{codec}`, {size:,} bytes" for codec, size in codecs))
    found = {(row["how"], row["lower_layers"], row["codec"]): f"{row['f1']:.1f}" for row in rows}
    for how, cut in dict.fromkeys(key[:2] for key in found):
        yield f"| {how} | {cut} | {' | '.join(found.get((how, cut, codec), '') for codec, _ in codecs)} |"


def _head(*titles: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)


def _keep_settings(how: str, folder: Path) -> None:
    """The settings of a run, its paths down to their names."""
    kept = folder / SETTINGS_FILE
    if not kept.is_file():
        # a mean of models: its parts have theirs
        return
    # a run of an earlier version lacks what was added since
    settings = read_settings(kept)
    # digests of files, which are told by their names here
    for name in ("inputs", "tokenizers"):
        settings.pop(name, None)
    for name in ("model", "teacher"):
        settings[name] = settings[name] and Path(settings[name]).name
    for name in ("train", "unlabelled", "ensemble"):
        settings[name] = [Path(path).name for path in settings[name]]
    (HERE / "runs").mkdir(exist_ok=True)
    path = HERE / "runs" / f"{re.sub(r'[^a-z0-9]+', '-', how.lower())}-k{settings['lower_layers']}.json"
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
