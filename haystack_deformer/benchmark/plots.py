"""Figures as pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def draw_plots(figures: dict[str, Any], folder: Path) -> list[Path]:
    """
    Draw what was measured as PNG files.

    :param figures: from `run_benchmark`.
    :param folder: for them.
    :raises ImportError: where matplotlib is missing; says how to get it.
    :return: the files.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  # of the extra [bench]
    except ImportError as error:
        msg = "Plots need matplotlib: pip install 'haystack-deformer[bench]'."
        raise ImportError(msg) from error
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    drawings: dict[str, Callable[[Any, Any], None]] = {
        "latency": _latency,
        "top_k": lambda axes, part: _lines(axes, part, "top_k", "passages of a question"),
        "length": lambda axes, part: _lines(axes, part, "tokens", "tokens of each of ten passages"),
        "corpus": _corpus,
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in drawings.items():
        if name in figures:
            figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
            draw(axes, figures[name])
            path = folder / f"benchmark-{name.replace('_', '-')}.png"
            figure.savefig(path, dpi=110)
            plt.close(figure)
            paths.append(path)
    return paths


def _latency(axes: Any, part: dict[str, Any]) -> None:
    names = list(part["readers"])[::-1]
    medians = [part["readers"][name]["median_ms"] for name in names]
    bars = axes.barh(names, medians, color=["#c44e52" if name.startswith("DeFormer") else "#8c8c8c" for name in names])
    axes.bar_label(bars, [f"{value:,.0f}" for value in medians], padding=3)
    axes.margins(x=0.12)
    axes.set_xlabel(f"ms for a question of {part['top_k']} passages")


def _lines(axes: Any, part: list[dict[str, Any]], column: str, label: str) -> None:
    places = [row[column] for row in part]
    for name in part[0]["median_ms"]:
        axes.plot(places, [row["median_ms"][name] for row in part], marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="ms", xticks=places, xticklabels=places)
    axes.minorticks_off()
    axes.legend(fontsize="x-small")


def _corpus(axes: Any, part: list[dict[str, Any]]) -> None:
    places = [row["passages"] for row in part]
    axes.plot(places, [row["read_ms"] for row in part], marker="o", label=f"a question of {part[0]['top_k']} passages")
    for kind in ("warm", "cold"):
        times = [row["states_ms"][kind] for row in part]
        axes.plot(places, times, marker="o", label=f"{part[0]['top_k']} states, {kind}")
    axes.set(xscale="log", yscale="log", xlabel="stored passages", ylabel="ms")
    axes.legend(fontsize="x-small")
