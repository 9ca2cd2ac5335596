"""Figures as a page that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from haystack_deformer.benchmark.readers import BASELINES


def render_report(figures: dict[str, Any]) -> str:
    """
    Markdown tables of all parts that were measured.

    :param figures: from `run_benchmark`.
    """
    sections: dict[str, Callable[[Any], str]] = {
        "latency": lambda part: f"## Time of a `predict` call\n\n{_latency(part)}\n\n{_parts(part)}",
        "cold": lambda part: f"## With the states read from disk\n\n{_latency(part)}\n\n{_parts(part)}",
        "memory": lambda part: (
            "## Peak memory of a process\n\n"
            + _table(("reader", "peak MB"), ((name, "failed" if peak is None else peak) for name, peak in part.items()))
        ),
        "threads": lambda part: "## Several clients at once, questions a second\n\n" + _by_column(part, "clients"),
        "indexing": lambda part: "## Indexing\n\n" + _rows(part),
        "top_k": lambda part: "## Time over the number of passages, ms\n\n" + _growth(part, "top_k"),
        "length": lambda part: "## Time over the length of ten passages in tokens, ms\n\n" + _growth(part, "tokens"),
        "corpus": lambda part: "## Time over the number of stored passages\n\n" + _corpus(part),
    }
    workload, machine = figures["workload"], figures["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items() if number)
    head = (
        f"Model and data: {workload['description']}; k = {workload['lower_layers']} of {workload['layers']}, "
        f"codec `{workload['codec']}`. "
        f"{machine['processor']}, {machine['threads']} threads. {versions}."
    )
    written = [section(figures[name]) for name, section in sections.items() if name in figures]
    return "\n\n".join([head, *written]) + "\n"


def _latency(part: dict[str, Any]) -> str:
    readers = part["readers"]
    compared = [name for name in BASELINES if name in readers]
    head = ("reader", "median ms", "p95 ms", "passages a second", *(f"speedup over {name}" for name in compared))
    rows = [
        (
            name,
            row["median_ms"],
            row["p95_ms"],
            row["documents_per_second"],
            *(_ratio(row["times_faster_than"].get(other)) for other in compared),
        )
        for name, row in readers.items()
    ]
    # a median of ratios is not the ratio of the medians beside it
    caption = (
        f"{part['rounds']} questions on {part['top_k']} passages each; the readers take turns. A speedup is the median "
        "of the questions' own ratios, with the quartiles in brackets."
    )
    return f"{caption}\n\n{_table(head, rows)}"


def _ratio(value: Sequence[float] | None) -> str:
    return "" if value is None else f"{value[0]:.1f}x ({value[1]:.1f} to {value[2]:.1f})"


def _parts(part: dict[str, Any]) -> str:
    rows = part["milliseconds"]
    names = list(next(iter(rows.values()), {}))
    shares = part["upper_layers_share_of_rate"]
    table = _table(
        ("ms for", *names, "outside the upper layers", "rate of the upper layers"),
        (
            (name, *row.values(), f"{1 - row['upper'] / sum(row.values()):.1%}", f"{shares[name]:.0%}")
            for name, row in rows.items()
        ),
    )
    rate = part["fp32_products_gflops"]
    return (
        "Where `DeFormerReader` spends its time. The rate of the upper layers is relative to that of fp32 matrix "
        f"products alone, {rate} GFLOP/s here.\n\n{table}"
    )


def _by_column(part: dict[str, dict[str, Any]], unit: str) -> str:
    columns = list(next(iter(part.values())))
    return _table(
        ("reader", *(f"{column} {unit}" for column in columns)), ((name, *row.values()) for name, row in part.items())
    )


def _rows(part: Sequence[dict[str, Any]]) -> str:
    return _table([name.replace("_", " ") for name in part[0]], (row.values() for row in part))


def _growth(part: Sequence[dict[str, Any]], column: str) -> str:
    rows = ((name, *(row["median_ms"][name] for row in part)) for name in part[0]["median_ms"])
    return _table(("reader", *(row[column] for row in part)), rows)


def _corpus(part: Sequence[dict[str, Any]]) -> str:
    head = (
        *("passages", "codec", "top k", "GB", "question ms", "p95 ms", "times the smallest"),
        *("states warm ms", "states cold ms", "`pread` warm ms", "`pread` cold ms", "private MB"),
    )
    columns = ("passages", "codec", "top_k", "gigabytes", "read_ms", "p95_ms", "times_the_smallest")
    rows = [
        (
            *(row[name] for name in columns),
            *(row["states_ms"][name] for name in ("warm", "cold", "pread_warm", "pread_cold")),
            row["private_memory_mb"],
        )
        for row in part
    ]
    return _table(head, rows)


def _table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
