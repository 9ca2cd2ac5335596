from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from haystack_deformer.parameters import as_bool, as_float, as_int, as_optional_int, as_optional_text, as_token


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("3", 3), (" 3 ", 3), (1, 1), (np.int64(3), 3)])
def test_as_int(value: Any, expected: int) -> None:
    assert as_int("n", value) == expected


@pytest.mark.parametrize("value", [0, -1, "0", "x", "", 2.5, "2.5", True, None, [1]])
def test_as_int_names_what_it_refuses(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^n must be a whole number of at least 1, got "):
        as_int("n", value)


def test_as_optional_int() -> None:
    assert as_optional_int("n", None) is None
    assert as_optional_int("n", "") is None
    assert as_optional_int("n", "0", least=0) == 0
    with pytest.raises(ValueError, match="n must be"):
        as_optional_int("n", 0)


def test_as_float() -> None:
    assert as_float("x", "-1.5") == -1.5
    assert as_float("x", 2) == 2.0
    assert as_float("x", np.float32(0.5)) == 0.5
    for value in ("", "x", True, None, "nan", float("nan")):
        with pytest.raises(ValueError, match=r"^x must be a number, got "):
            as_float("x", value)


def test_as_bool() -> None:
    assert [as_bool("b", value) for value in (True, "True", "yes", "1")] == [True] * 4
    assert [as_bool("b", value) for value in (False, "false", "No", "0")] == [False] * 4
    for value in ("", "maybe", None, 1, 0.0):
        with pytest.raises(ValueError, match=r"^b must be true or false, got "):
            as_bool("b", value)


def test_as_optional_text() -> None:
    assert [as_optional_text("t", value) for value in (None, "", "main")] == [None, None, "main"]
    for value in (1.0, True, ["main"]):
        with pytest.raises(ValueError, match=r"^t must be a text, got "):
            as_optional_text("t", value)


def test_as_token() -> None:
    values = (None, "", True, False, "true", "False", "hf_secret")
    assert [as_token("t", value) for value in values] == [None, None, True, False, True, False, "hf_secret"]
    with pytest.raises(ValueError, match=r"^t must be a token of the model hub, .* got a bytes\.$"):
        as_token("t", b"hf_secret")
