"""`benchmark`: what the plugin would save on this machine, before it is adopted."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import Codec, LowerLayers, app, clear_errors


@app.command()
def benchmark(
    output: Annotated[Path, typer.Option(help="Folder for models, graphs, states and figures.")] = Path("benchmark"),
    model: Annotated[
        str | None, typer.Option(help="Name or folder. Default: a BERT-base with random weights, cut at 9.")
    ] = None,
    lower_layers: LowerLayers = None,
    data: Annotated[
        Path | None,
        typer.Option(help="SQuAD-format file. Default: random words in passages of XQuAD's lengths."),
    ] = None,
    codec: Codec = "SQfp16",
    top_k: Annotated[int, typer.Option(help="Passages for each question.")] = 10,
    rounds: Annotated[int, typer.Option(help="Questions for each reader.")] = 20,
    part: Annotated[
        list[str] | None,
        typer.Option(help="latency, cold, memory, threads, indexing, top_k, length, corpus. Repeat for several."),
    ] = None,
    readers: Annotated[
        str, typer.Option(help="A reader's name, or parts of names separated by commas. Default: all.")
    ] = "",
    size: Annotated[list[int] | None, typer.Option(help="Stored passages, part corpus. Repeat.", min=100)] = None,
    corpus_codec: Annotated[str, typer.Option(help="Codec, part corpus.")] = "SQ8",
    plots: Annotated[Path | None, typer.Option(help="Folder for plots (PNG).")] = None,
) -> None:
    """Measure readers in turn on the same questions, indexing, memory and storage. Figures of other parts stay."""
    with clear_errors():
        from haystack_deformer.benchmark.plots import draw_plots
        from haystack_deformer.benchmark.report import render_report
        from haystack_deformer.benchmark.run import BenchmarkSettings, run_benchmark

        defaults = BenchmarkSettings()
        settings = BenchmarkSettings(
            model=model,
            lower_layers=lower_layers,
            data=None if data is None else str(data),
            codec=codec,
            top_k=top_k,
            rounds=rounds,
            parts=part or defaults.parts,
            only=readers,
            sizes=sorted(size) if size else defaults.sizes,
            corpus_codec=corpus_codec,
        )
        figures = run_benchmark(settings, output)
        report = render_report(figures)
        (output / "benchmark.md").write_text(report, encoding="utf-8")
        typer.echo(report)
        if plots is not None:
            typer.echo(f"Plots: {', '.join(map(str, draw_plots(figures, plots)))}")
