"""What of a request is read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from haystack.schema import Document

from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.nodes.requests import readable


def test_texts_alone_are_readable() -> None:
    """The content of an image or a recording is its path."""
    documents = [
        Document(content="paris is", id="text"),
        Document(content="/srv/scans/paris.png", content_type="image", id="image"),
        Document(content="/srv/paris.wav", content_type="audio", id="audio"),
        Document(content=pd.DataFrame({"a": [1]}), content_type="table", id="table"),
        Document(content=" ", id="blank"),
    ]
    assert [document.id for document in readable(documents)] == ["text"]


def test_devices_of_an_environment_variable(tiny_deformer: Path) -> None:
    reader = DeFormerReader(str(tiny_deformer), devices="cpu, meta", progress_bar=False)  # type: ignore[arg-type]
    assert [device.type for device in reader.devices] == ["cpu", "meta"]
