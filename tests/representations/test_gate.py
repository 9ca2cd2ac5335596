"""Many inside or one alone, whoever is interrupted."""

from __future__ import annotations

import threading

import pytest

from haystack_deformer.representations.gate import Gate


def test_who_is_interrupted_while_waiting_shuts_nobody_out(monkeypatch):
    gate = Gate()

    def interrupt(*_):
        raise KeyboardInterrupt

    with gate.shared():
        monkeypatch.setattr(gate._condition, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt), gate.exclusive():
            pass
    monkeypatch.undo()
    entered = threading.Event()

    def enter():
        with gate.shared():
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert entered.wait(30)
    with gate.exclusive():
        pass
