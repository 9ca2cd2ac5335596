"""
Half characters (lone surrogates), which JSON can write as `\\ud800` and UTF-8 cannot.

They are refused in what is to be kept, and written as JSON's escapes where they are there already: a response with one
would else fail, and with it every later one that has the same document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel
from starlette.responses import JSONResponse

from haystack_deformer.passages.tokenization import has_surrogate

_DEEPEST = 50
"""Lists and objects in each other; what is nested some hundred deep can be taken in, and not be handed out again."""


class WholeJSONResponse(JSONResponse):
    """JSON in UTF-8 for any text."""

    def render(self, content: Any) -> bytes:
        """
        JSON's bytes.

        :param content: dictionaries, lists and what JSON has.
        """
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # of what UTF-8 lacks this makes \ud800, which is JSON's own escape
        return text.encode("utf-8", "backslashreplace")


def has_half_character(value: Any) -> bool:
    """
    Whether a value is a text that UTF-8 cannot write.

    :param value: of any kind.
    """
    return isinstance(value, str) and has_surrogate(value)


def check_whole(name: str, value: Any) -> None:
    """
    Refuse what could not be handed out again.

    :param name: of the value, for the message.
    :param value: dictionaries, lists and what JSON has, or a model with such.
    :raises HTTPException: 400 for a half character in a text or a name, and for what is nested too deep.
    """
    waiting = [(name, value, 0)]
    while waiting:
        path, item, depth = waiting.pop()
        if has_half_character(item):
            raise HTTPException(400, f"{path} has half a character in it (a lone surrogate): {item[:100]!r}.")
        if isinstance(item, BaseModel):
            item = vars(item)
        if not isinstance(item, (Mapping, list)):
            continue
        if depth >= _DEEPEST:
            raise HTTPException(400, f"{name} is nested more than {_DEEPEST} deep: give flatter values.")
        if isinstance(item, list):
            waiting += [(f"{path}.{number}", part, depth + 1) for number, part in enumerate(item)]
            continue
        for key, part in item.items():
            if has_half_character(key):
                raise HTTPException(400, f"{path} has a name with half a character in it (a lone surrogate): {key!r}.")
            waiting.append((f"{path}.{key}", part, depth + 1))
