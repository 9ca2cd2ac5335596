from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.cloze import split_sentences
from haystack_deformer.training.mixing import make_mixed_file

RIVERS = {
    name: " ".join(f"The {name} {verb} {what}." for verb, what in facts)
    for name, facts in {
        "Danube": [("rises in", "Germany"), ("passes", "Vienna"), ("ends in", "the Black Sea"), ("freezes", "rarely")],
        "Rhine": [("rises in", "Switzerland"), ("passes", "Basel"), ("ends in", "the North Sea"), ("freezes", "never")],
        "Volga": [("rises in", "Russia"), ("passes", "Kazan"), ("ends in", "the Caspian Sea"), ("freezes", "often")],
    }.items()
}
EXAMPLES = [
    SquadExample(f"{name}-{verb}", f"Where does the {name} {verb}?", passage, ())
    for name, passage in RIVERS.items()
    for verb in ("rise", "pass", "end", "freeze")
]


def mixtures(path: Path, examples: list[SquadExample] = EXAMPLES, **options: int) -> dict[str, list[str]]:
    """Questions by the passage that they are asked of."""
    count = make_mixed_file(examples, path, progress_bar=False, **options)
    asked: dict[str, list[str]] = {}
    read = load_squad(path, labelled=False)[0]
    for example in read:
        asked.setdefault(example.context, []).append(example.question)
    assert count == len(read)
    return asked


@pytest.mark.parametrize("seed", range(10))
def test_a_mixture_has_runs_of_sentences_of_two_passages(tmp_path: Path, seed: int) -> None:
    mixed = mixtures(tmp_path / "mixed.json", seed=seed)
    assert len(mixed) == len(RIVERS)
    for passage in mixed:
        sentences = split_sentences(passage)
        of = {name: [s for s in split_sentences(river) if s in sentences] for name, river in RIVERS.items()}
        sources = {name: kept for name, kept in of.items() if kept}
        assert len(sources) == 2
        assert sum(map(len, sources.values())) == len(sentences)
        for name, kept in sources.items():
            # next to each other and in their order, where they were and where they are but for what is put between
            assert " ".join(kept) in RIVERS[name]
            assert [s for s in sentences if s in kept] == kept
        # not now of one and now of the other, and one again
        one = next(iter(sources.values()))
        assert 2 <= len(list(groupby(sentences, key=one.__contains__))) <= 3


def test_half_of_a_character_is_no_hindrance(tmp_path: Path) -> None:
    examples = [replace(example, context=example.context + " \ud83d") for example in EXAMPLES]
    assert mixtures(tmp_path / "mixed.json", examples)


def test_questions_are_of_both_passages(tmp_path: Path) -> None:
    for passage, asked in mixtures(tmp_path / "mixed.json", per_passage=4).items():
        names = [name for name in RIVERS if name in passage]
        by_name = sorted(sum(name in question for question in asked) for name in names)
        assert by_name == [1, 3]
        assert len(set(asked)) == 4


def test_one_question_is_the_passages_own(tmp_path: Path) -> None:
    assert all(len(asked) == 1 for asked in mixtures(tmp_path / "mixed.json", per_passage=1).values())


def test_mixtures_of_a_seed_are_always_the_same(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_mixed_file(EXAMPLES, tmp_path / name, seed=seed, progress_bar=False)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_what_cannot_be_mixed_is_an_error(tmp_path: Path) -> None:
    apart = [SquadExample("a", "Who?", "Leaves give off oxygen.", ()), SquadExample("b", "Who?", "Rivers freeze.", ())]
    for examples in (apart, EXAMPLES[:1], []):
        with pytest.raises(ValueError, match=rf"None of these {len(examples)} passages shares a word with another"):
            make_mixed_file(examples, tmp_path / "mixed.json", progress_bar=False)
    with pytest.raises(ValueError, match="per_passage must be at least 1, got 0"):
        make_mixed_file(EXAMPLES, tmp_path / "mixed.json", per_passage=0)
    assert not (tmp_path / "mixed.json").exists()


class TestCommand:
    @pytest.fixture
    def squad(self, tmp_path: Path) -> Path:
        many = [f"Town {n} has {n} people. It stands at river {n}. Its mayor is number {n}." for n in range(40)]
        paragraphs = [
            {"context": text, "qas": [{"id": text, "question": "How many people?", "answers": []}]} for text in many
        ]
        path = tmp_path / "squad.json"
        path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
        return path

    def test_leaves_the_held_out_passages_out(self, tmp_path: Path, squad: Path) -> None:
        output = tmp_path / "folder" / "mixed.json.gz"
        result = CliRunner().invoke(
            app, ["mix", "--data", str(squad), "--output", str(output), "--held-out", "0.3", "--per-passage", "2"]
        )
        assert result.exit_code == 0, result.output
        examples = load_squad(output, labelled=False)[0]
        kept, held_out = split_held_out(load_squad(squad)[0], 0.3)
        assert f"{len(examples)} questions on mixtures of {len(kept)} passages: {output}" in result.output
        sentences = {sentence for example in examples for sentence in split_sentences(example.context)}
        assert held_out
        assert not any(sentence in sentences for one in held_out for sentence in split_sentences(one.context))

    def test_holds_out_what_distil_does_unless_told(self, tmp_path: Path, squad: Path) -> None:
        result = CliRunner().invoke(app, ["mix", "--data", str(squad), "--output", str(tmp_path / "mixed.json")])
        assert result.exit_code == 0, result.output
        assert load_squad(tmp_path / "mixed.json", labelled=False)[1].held_out == {str(tmp_path / "mixed.json"): 0.05}

    def test_says_what_is_wrong_in_a_line(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["mix", "--data", str(tmp_path / "none"), "--output", str(tmp_path / "o")])
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert "none" in result.output
