"""What a user can mend, in a line."""

from __future__ import annotations

import pytest
import typer

from haystack_deformer.cli.app import clear_errors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("give another"), "Error: give another\n"),
        (
            ModuleNotFoundError("No module named 'sklearn'", name="sklearn"),
            "Error: No module named 'sklearn': pip install 'haystack-deformer[train]'.\n",
        ),
        (ModuleNotFoundError("No module named 'this'", name="this"), "Error: No module named 'this'\n"),
    ],
)
def test_in_a_line(error: Exception, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped, clear_errors():
        raise error
    assert stopped.value.exit_code == 2
    assert capsys.readouterr().err == said


def test_what_only_we_can_mend_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), clear_errors():
        raise ZeroDivisionError
