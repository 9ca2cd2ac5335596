"""The benchmark measures what it says: tiny models, no figure is compared with a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haystack_deformer.benchmark import timing as timing_module
from haystack_deformer.benchmark.cold import drop_from_memory
from haystack_deformer.benchmark.latency import measure_threads
from haystack_deformer.benchmark.memory import peak_memory
from haystack_deformer.benchmark.plots import draw_plots
from haystack_deformer.benchmark.report import render_report
from haystack_deformer.benchmark.run import PARTS, BenchmarkSettings, run_benchmark
from haystack_deformer.benchmark.storage import made_states, made_text
from haystack_deformer.benchmark.timing import Products, Times, take_turns
from haystack_deformer.benchmark.workload import XQUAD_LENGTHS, load_workload, make_bert
from haystack_deformer.passages import load_encoder, load_tokenizer
from tests.benchmark.conftest import SMALL
from tests.page_cache import resident_bytes


@pytest.fixture(scope="module", autouse=True)
def _no_pauses() -> Iterator[None]:
    """Those between two calls, which no time here depends on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing_module, "_SETTLE_SECONDS", 0)
        yield


class TestWorkload:
    def test_words_are_one_token_each(self, bert: str, tmp_path: Path) -> None:
        workload = load_workload(tmp_path, bert, 2)
        tokenizer = load_tokenizer(bert)
        lengths = [
            len(tokenizer(document.content, add_special_tokens=False)["input_ids"]) for document in workload.documents
        ]
        assert sorted(lengths) == list(XQUAD_LENGTHS)
        assert len(tokenizer(workload.questions[0], add_special_tokens=False)["input_ids"]) == 13
        assert tokenizer.unk_token_id not in tokenizer(workload.documents[0].content)["input_ids"]

    def test_words_are_one_token_of_another_vocabulary(self, tmp_path: Path) -> None:
        model = str(Path(__file__).parents[2] / "examples" / "models" / "deformer-minilm-l6-k4")
        workload = load_workload(tmp_path, model)
        tokenizer = load_tokenizer(model)
        assert sorted(
            len(tokenizer(document.content, add_special_tokens=False)["input_ids"]) for document in workload.documents
        ) == list(XQUAD_LENGTHS)
        assert len(workload.words) > 10_000

    def test_from_a_file(self, bert: str, tmp_path: Path) -> None:
        qas = [{"id": "1", "question": "who", "answers": [{"text": "a", "answer_start": 0}]}]
        data = {"data": [{"paragraphs": [{"context": "a river", "qas": qas}]}]}
        (tmp_path / "squad.json").write_text(json.dumps(data))
        workload = load_workload(tmp_path, bert, 2, tmp_path / "squad.json")
        assert [document.content for document in workload.documents] == ["a river"]
        assert list(workload.questions) == ["who"]


class TestTiming:
    def test_calls_take_turns(self) -> None:
        called: list[tuple[str, int]] = []
        times = take_turns(
            {name: lambda number, name=name: called.append((name, number)) for name in "ab"}, 2, progress_bar=False
        )
        assert called == [("a", 0), ("b", 0), *(("a", 0), ("b", 0)), *(("a", 1), ("b", 1))]
        assert all(len(own.seconds) == 2 for own in times.values())

    def test_clients_of_all_readers_take_turns(self, bert: str, tmp_path: Path) -> None:
        asked: list[tuple[str, str]] = []

        class Reader:
            def __init__(self, name: str) -> None:
                self.name = name

            def predict(self, question: str, documents: Any) -> None:
                asked.append((self.name, documents[0].content))

        workload = load_workload(tmp_path, bert, 2)
        found = measure_threads(
            {name: Reader(name) for name in "ab"}, workload, top_k=2, calls=7, threads=(1, 2), progress_bar=False
        )
        assert {name: list(rates) for name, rates in found.items()} == {"a": ["1", "2"], "b": ["1", "2"]}
        # seven questions in three turns: three for one client, two for each of two; the first turn is not counted
        turns = [(name, len(list(questions))) for name, questions in groupby(asked, key=lambda one: one[0])]
        assert turns == [("a", 3), ("b", 3)] * 4 + [("a", 4), ("b", 4)] * 4
        # the same for all
        assert len({passage for _, passage in asked}) == 12
        assert sorted(one for name, one in asked if name == "a") == sorted(one for name, one in asked if name == "b")

    def test_before_is_off_the_clock(self) -> None:
        order: list[str] = []
        take_turns(
            {"a": lambda _: order.append("a")}, 1, warm_up=0, before=lambda: order.append("-"), progress_bar=False
        )
        assert order == ["-", "a"]

    def test_ratios_are_pair_by_pair(self) -> None:
        ours, theirs = Times(np.array([1.0, 2.0, 4.0])), Times(np.array([2.0, 6.0, 16.0]))
        assert ours.ratio(theirs)[0] == 3
        assert ours.median == 2
        assert theirs.ratio(ours)[0] == pytest.approx(1 / 3)

    def test_rate_of_products(self) -> None:
        products = Products(width=8, rows=5, repeats=2)
        assert products.operations == 2 * (4 * 2 * 5 * 8 * 8 + 2 * 2 * 5 * 8 * 32)
        products()
        assert products.rate(Times(np.array([0.5]))) == 2 * products.operations


def test_pages_leave_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1 << 20))
    path.read_bytes()
    assert resident_bytes(path) == 1 << 20
    drop_from_memory(path)
    if resident_bytes(path) == 1 << 20:
        pytest.skip("this file system keeps its pages")
    assert resident_bytes(path) == 0


def test_peak_memory_is_the_processes_own() -> None:
    """Linux hands the highest of a parent on to its child's own figure, which is not what the child took."""
    ballast = np.ones(1_500_000_000 // 8)
    code = "from haystack_deformer.benchmark.memory import peak_memory; print(peak_memory())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    megabytes = ballast.nbytes // 1_000_000
    assert peak_memory() > megabytes
    assert 50 < int(result.stdout) < megabytes


def test_made_states_go_on_where_they_were_stopped(bert: str, tmp_path: Path) -> None:
    encoder = load_encoder(bert, lower_layers=2)
    texts = ["w1 w2 w3", "w4"]
    with made_states(encoder, "SQ8", tmp_path, 5, texts, progress_bar=False):
        pass
    with made_states(encoder, "SQ8", tmp_path, 12, texts, progress_bar=False) as states:
        assert states.store.statistics().count == 12
        found = states.get([states.key(made_text(number)) for number in range(12)])
        assert [0 if one is None else one.n_tokens for one in found] == [4, 2] * 6
        with pytest.raises(ValueError, match=r"need \d+ GiB"):
            made_states(encoder, "SQ8", tmp_path, 10**12, texts, progress_bar=False)


@pytest.fixture(scope="module")
def figures(bert: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = BenchmarkSettings(
        model=bert,
        lower_layers=2,
        top_k=3,
        rounds=2,
        parts=PARTS,
        # each takes two processes of the part memory
        only="TransformersReader,ONNX int8",
        # the smallest holds fewer than there are passages
        sizes=(50, 200),
    )
    folder = tmp_path_factory.mktemp("benchmark")
    figures = run_benchmark(settings, folder, progress_bar=False)
    assert json.loads((folder / "benchmark.json").read_text()) == figures
    return figures


class TestRun:
    def test_all_parts(self, figures: dict[str, Any]) -> None:
        assert set(PARTS) <= set(figures)
        latency = figures["latency"]["readers"]
        assert {"TransformersReader", "DeFormerReader, ONNX int8"} <= set(latency)
        ours = latency["DeFormerReader, ONNX int8"]
        assert ours["times_faster_than"]["TransformersReader"][0] > 0
        parts = figures["latency"]["milliseconds"]["DeFormerReader, ONNX int8"]
        # nothing was computed that the store had
        assert parts["compute"] == 0
        assert parts["upper"] > 0
        assert figures["latency"]["upper_layers_share_of_rate"]["DeFormerReader, ONNX int8"] > 0
        assert all(isinstance(peak, int) and peak > 50 for peak in figures["memory"].values())
        assert [row["passages"] for row in figures["corpus"]] == [50, 200]
        assert [row["dtype"] for row in figures["indexing"]] == ["float32", "int8"]
        # what is written is computed, however fast that is
        assert all(row["share_of_the_bare_rate"] < 5 for row in figures["indexing"])

    def test_report_and_plots(self, figures: dict[str, Any], tmp_path: Path) -> None:
        report = render_report(figures)
        assert report.count("\n## ") == len(PARTS)
        for line in report.splitlines():
            assert not line.startswith("|") or line.endswith("|")
        median = figures["latency"]["readers"]["TransformersReader"]["median_ms"]
        assert f"| TransformersReader | {median} |" in report
        paths = draw_plots(figures, tmp_path)
        assert {path.stem for path in paths} == {
            f"benchmark-{name}" for name in ("latency", "top-k", "length", "corpus")
        }
        assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths)

    def test_figures_of_another_model_are_put_aside(self, bert: str, tmp_path: Path) -> None:
        settings = BenchmarkSettings(bert, 2, top_k=1, rounds=1, only="DeFormerReader, torch fp32", parts=("indexing",))
        theirs = tmp_path / "indexing" / "thesis.txt"
        theirs.parent.mkdir()
        theirs.write_text("a user's")
        run_benchmark(settings, tmp_path, progress_bar=False)
        assert theirs.is_file()
        assert not list(tmp_path.glob("indexing-*"))
        other = str(make_bert(tmp_path / "other", seed=1, **SMALL))
        settings = replace(settings, model=other, parts=("top_k",))
        assert set(run_benchmark(settings, tmp_path, progress_bar=False)) == {"workload", "machine", "top_k"}
        assert "indexing" in json.loads((tmp_path / "before-benchmark.json").read_text())
        (tmp_path / "benchmark.json").write_text("{")
        assert "top_k" in run_benchmark(settings, tmp_path, progress_bar=False)
        assert (tmp_path / "before-benchmark.json").read_text() == "{"

    def test_figures_of_another_file_of_the_same_name_are_put_aside(self, bert: str, tmp_path: Path) -> None:
        folder = tmp_path / "figures"
        settings = BenchmarkSettings(bert, 2, top_k=1, rounds=1, only="DeFormerReader, torch fp32", parts=("latency",))
        for place, part in (("here", "indexing"), ("there", "latency")):
            data = tmp_path / place / "dev.json"
            data.parent.mkdir()
            qas = [{"id": "q", "question": "who", "answers": []}]
            squad = {"data": [{"paragraphs": [{"context": f"a river {place}", "qas": qas}]}]}
            data.write_text(json.dumps(squad))
            run_benchmark(replace(settings, data=str(data), parts=(part,)), folder, progress_bar=False)
        assert set(json.loads((folder / "benchmark.json").read_text())) == {"workload", "machine", "latency"}
        assert "indexing" in json.loads((folder / "before-benchmark.json").read_text())

    def test_parts_that_only_linux_can_measure(
        self, bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("sys.platform", "darwin")
        settings = BenchmarkSettings(
            bert, 2, top_k=1, rounds=1, only="DeFormerReader, torch fp32", parts=("cold", "corpus", "top_k")
        )
        assert set(run_benchmark(settings, tmp_path, progress_bar=False)) == {"workload", "machine", "top_k"}
        assert [word in caplog.text for word in ("part cold", "part corpus")] == [True, True]

    def test_unknown_parts_are_refused(self) -> None:
        with pytest.raises(ValueError, match="no part speed: give some of latency, cold"):
            BenchmarkSettings(parts=("speed",))
        with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
            BenchmarkSettings(rounds=0)
