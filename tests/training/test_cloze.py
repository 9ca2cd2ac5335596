from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.squad import is_held_out, load_squad
from haystack_deformer.training.cloze import cloze_questions, make_cloze_file

RIVERS = (
    "The Danube rises in the Black Forest and flows through ten countries to the Black Sea. In 1856 the Treaty of "
    "Paris opened it to ships of all nations. Some 83 million people live in its basin, more than in any other."
)
LIGHT = (
    "Photosynthesis turns light into chemical energy that plants keep for later use. Jan Ingenhousz discovered in 1779 "
    "that leaves give off oxygen only while the sun shines on them."
)
WH_WORDS = {"who", "what", "which", "where", "whose", "when", "how", "why", "many", "much", "kind", "of"}
AUXILIARIES = {"did", "is", "was", "does", "are"}


def words(text: str) -> set[str]:
    return {word.strip("?,.;:()").lower() for word in text.split()}


def test_questions_are_of_the_passages_own_words() -> None:
    questions = list(cloze_questions(RIVERS, 40, Random(0)))
    assert len(questions) == 40
    assert len(set(questions)) > 30
    for question in questions:
        assert question.endswith("?")
        assert question[0] == question[0].upper()
        asked = words(question)
        assert asked <= words(RIVERS) | WH_WORDS | AUXILIARIES
        assert asked & (WH_WORDS - {"of", "many", "much", "kind"})


def test_a_phrase_is_left_out() -> None:
    """Of a sentence with a name, a year and a number no question has all of its words."""
    sentence = "In 1856 the Treaty of Paris opened it to 26 ships."
    content = {"1856", "treaty", "paris", "opened", "26", "ships"}
    questions = list(cloze_questions(sentence, 60, Random(1)))
    missing = [frozenset(content - words(question)) for question in questions]
    assert all(missing)
    # what is asked for changes, and so do the words that ask
    assert {"1856", "treaty", "26"} <= set().union(*missing)
    assert any(question.lower().startswith("when") for question in questions)


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_questions_of_a_seed_are_always_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """To the byte, whenever they are made: a run of other files could not be resumed."""
    files = [tmp_path / f"{name}.{suffix}" for name in "abc"]
    for file, seed, now in zip(files, (0, 0, 1), (1e9, 2e9, 1e9), strict=True):
        monkeypatch.setattr("time.time", lambda now=now: now)
        make_cloze_file([RIVERS, LIGHT], file, seed=seed, progress_bar=False)
    first, again, other = (file.read_bytes() for file in files)
    assert first == again != other


def test_half_of_a_character_is_no_hindrance(tmp_path: Path) -> None:
    passages = [RIVERS + " \ud83d", LIGHT]
    assert make_cloze_file(passages, tmp_path / "cloze.json", progress_bar=False)
    assert passages[0] in {example.context for example in load_squad(tmp_path / "cloze.json", labelled=False)[0]}


@pytest.mark.parametrize("name", ["cloze.json", "folder/cloze.json.gz"])
def test_file_is_read_by_training(tmp_path: Path, name: str) -> None:
    count = make_cloze_file([RIVERS, LIGHT, "", "Too short.", RIVERS], tmp_path / name, per_passage=8)
    examples, report = load_squad(tmp_path / name, labelled=False)
    assert len(examples) == count == report.questions
    assert {example.context for example in examples if example.context.strip()} >= {RIVERS, LIGHT}
    assert not any(example.labelled for example in examples)
    assert len({example.id for example in examples}) == count


def test_some_questions_are_of_another_passage(tmp_path: Path) -> None:
    """A student that is never asked in vain would always answer."""
    make_cloze_file([RIVERS, LIGHT], tmp_path / "cloze.json", per_passage=16)
    own = foreign = 0
    for example in load_squad(tmp_path / "cloze.json", labelled=False)[0]:
        asked = words(example.question) - WH_WORDS - AUXILIARIES
        if asked <= words(example.context):
            own += 1
        else:
            foreign += 1
    assert own > 4 * foreign > 0


@settings(deadline=None, max_examples=100)
@given(st.text(st.one_of(st.characters(), st.sampled_from(". Ab cD 12 $?!\n")), max_size=300))
def test_any_text_is_taken(text: str) -> None:
    for question in cloze_questions(text, 5, Random(0)):
        assert question.endswith("?")


def test_nothing_to_ask_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No question can be made of these 2 passages: sentences of 6 to 60 words"):
        make_cloze_file(["Short.", "Short too.", " "], tmp_path / "cloze.json", progress_bar=False)
    assert not (tmp_path / "cloze.json").exists()
    with pytest.raises(ValueError, match="per_passage must be at least 1, got 0"):
        make_cloze_file([RIVERS], tmp_path / "cloze.json", per_passage=0)


class TestCommand:
    def test_takes_folders_and_squad_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "texts"
        folder.mkdir()
        (folder / "rivers.md").write_text(RIVERS, encoding="utf-8")
        squad = tmp_path / "squad.json"
        # of what nobody asked
        squad.write_text(json.dumps({"data": [{"paragraphs": [{"context": LIGHT, "qas": []}]}]}), encoding="utf-8")
        output = tmp_path / "cloze.json"
        result = CliRunner().invoke(
            app, ["cloze", "--data", str(folder), "--data", str(squad), "--output", str(output), "--per-passage", "3"]
        )
        assert result.exit_code == 0, result.output
        examples = load_squad(output, labelled=False)[0]
        assert f"{len(examples)} questions on 2 passages: {output}" in result.output
        assert {example.context for example in examples} == {RIVERS, LIGHT}

    def test_holds_out_what_distil_does_unless_told(self, tmp_path: Path) -> None:
        squad, output = tmp_path / "squad.json", tmp_path / "cloze.json"
        squad.write_text(json.dumps({"data": [{"paragraphs": [{"context": RIVERS, "qas": []}]}]}), encoding="utf-8")
        result = CliRunner().invoke(app, ["cloze", "--data", str(squad), "--output", str(output)])
        assert result.exit_code == 0, result.output
        assert load_squad(output, labelled=False)[1].held_out == {str(output): 0.05}

    def test_asks_nothing_of_what_is_held_out(self, tmp_path: Path) -> None:
        """Not of another passage either: some questions are put to the next one."""
        share = next(n / 100 for n in range(100) if is_held_out(RIVERS, n / 100) != is_held_out(LIGHT, n / 100))
        kept = LIGHT if is_held_out(RIVERS, share) else RIVERS
        paragraphs = [{"context": text, "qas": []} for text in (RIVERS, LIGHT)]
        squad = tmp_path / "squad.json"
        squad.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
        output = tmp_path / "cloze.json"
        arguments = ["cloze", "--data", str(squad), "--output", str(output), "--held-out"]
        result = CliRunner().invoke(app, [*arguments, str(share)])
        assert result.exit_code == 0, result.output
        words = set(kept.replace(".", "").replace(",", "").lower().split())
        for example in load_squad(output, labelled=False)[0]:
            assert example.context == kept
            assert words & set(example.question.lower().rstrip("?").split())
        assert load_squad(output, labelled=False)[1].held_out == {str(output): share}
        assert "held_out is a share" in CliRunner().invoke(app, [*arguments, "1"]).output

    def test_says_what_is_wrong_in_a_line(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["cloze", "--data", str(tmp_path / "none"), "--output", str(tmp_path / "o")])
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert "none" in result.output
