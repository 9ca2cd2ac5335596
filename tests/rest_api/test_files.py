"""Uploads: what is taken, what is refused, and that nothing is left behind."""

from __future__ import annotations

import io
import json
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from haystack.nodes.preprocessor import preprocessor

from haystack_deformer.rest_api import ServerSettings, create_app
from haystack_deformer.rest_api.uploads import _check_zip, safe_name


def upload(client: TestClient, *files: tuple[str, bytes], **form: Any) -> Any:
    return client.post("/file-upload", files=[("files", file) for file in files], data=form)


def contents(client: TestClient, **filters: Any) -> dict[str, str]:
    documents = client.post("/documents/get_by_filters", json={"filters": filters}).json()
    return {document["meta"]["name"]: document["content"] for document in documents}


def left_behind(client: TestClient) -> list[Path]:
    return list(client.app.state.service.upload_path.iterdir())  # type: ignore[attr-defined]


def zipped(size: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * size)
    return data.getvalue()


def test_files_keep_their_names_and_can_be_asked_about_at_once(uploaded: TestClient) -> None:
    assert contents(uploaded, kind="city") == {
        "france.txt": "paris is the capital of france, a city on a river.",
        "germany.txt": "berlin is the capital of germany.",
    }
    answers = uploaded.post("/query", json={"query": "where is paris?"}).json()["answers"]
    assert {answer["meta"]["name"] for answer in answers} == {"france.txt", "germany.txt"}
    assert left_behind(uploaded) == []


def test_the_response_names_the_documents(client: TestClient) -> None:
    body = upload(client, ("a.txt", b"paris")).json()
    assert [(document["content"], document["meta"]["name"]) for document in body["documents"]] == [("paris", "a.txt")]


def test_meta_of_all_forms(client: TestClient) -> None:
    assert upload(client, ("a.txt", b"paris"), meta="").status_code == 200
    assert upload(client, ("b.txt", b"berlin"), meta="null").status_code == 200
    assert upload(client, ("c.txt", b"the river"), meta='{"year": 1999}').status_code == 200
    assert set(contents(client)) == {"a.txt", "b.txt", "c.txt"}
    assert set(contents(client, year=[1999])) == {"c.txt"}


@pytest.mark.parametrize("meta", ["1", "[]", "{", "[" * 100_000, '"text"'], ids=range(5))
def test_wrong_meta(client: TestClient, meta: str) -> None:
    response = upload(client, ("a.txt", b"paris"), meta=meta)
    assert response.status_code == 400, response.text
    assert response.json()["errors"]
    assert contents(client) == {}


def test_params(client: TestClient) -> None:
    assert upload(client, ("a.txt", b"paris"), remove_numeric_tables="true").status_code == 200
    assert upload(client, ("a.txt", b"paris"), remove_numeric_tables="perhaps").status_code == 422
    good = json.dumps({"Converter": {"encoding": "utf-8"}})
    assert upload(client, ("a.txt", b"paris"), additional_params=good).status_code == 200
    for bad in (
        {"Nobody": {}},
        {"Converter": {"nothing": 1}},
        {"Converter": {"encoding": "klingon"}},
        {"Converter": {"debug": True}},
        {"debug": True},
    ):
        assert upload(client, ("a.txt", b"paris"), additional_params=json.dumps(bad)).status_code == 400
    assert left_behind(client) == []


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("empty.txt", b"", 400),
        ("blank.txt", b" \n\t\n", 400),
        ("bom.txt", b"\xef\xbb\xbf", 400),
        ("binary.txt", bytes(range(256)), 415),
        ("program.exe", b"MZ\x90\x00", 415),
        ("bomb.zip", zipped(50_000_000), 415),
        ("bomb.txt", zipped(50_000_000), 415),
        ("latin.txt", "Köln".encode("latin-1"), 415),
        ("nothing", b"paris", 415),
        ("..", b"paris", 400),
        ("../", b"paris", 400),
        ("x" * 300 + ".txt", b"paris", 400),
        ("large.txt", b"paris " * 400_000, 413),
    ],
)
def test_refused(client: TestClient, name: str, content: bytes, status: int) -> None:
    response = upload(client, ("good.txt", b"the river"), (name, content))
    assert response.status_code == status, response.text
    assert response.json()["errors"]
    assert contents(client) == {}
    assert left_behind(client) == []


@pytest.mark.parametrize("name", ["../../x.txt", "/etc/x.txt", "..\\..\\x.txt", "a/b/../x.txt", "C:\\x.txt"])
def test_paths_in_names_are_cut_off(client: TestClient, name: str) -> None:
    assert upload(client, (name, b"paris")).status_code == 200
    assert set(contents(client)) == {"x.txt"}
    assert left_behind(client) == []


@pytest.mark.parametrize("name", [None, "", ".", "..", "a\x07.txt", "a\0.txt", "a\n.txt", "\u202e.txt", "/", "\\"])
def test_no_names(name: str | None) -> None:
    with pytest.raises(HTTPException):
        safe_name(name)


def test_no_files(client: TestClient) -> None:
    assert client.post("/file-upload").status_code == 422
    assert client.post("/file-upload", data={"files": "text"}).status_code == 422
    response = client.post(
        "/file-upload", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert 400 <= response.status_code < 500


def test_many_parts(client: TestClient) -> None:
    response = upload(client, *((f"{number}.txt", b"paris") for number in range(1_200)))
    assert 400 <= response.status_code < 500
    assert left_behind(client) == []


@pytest.mark.parametrize("start", ["", "a", "aa"])
def test_characters_across_blocks(client: TestClient, start: str) -> None:
    """Text is looked at a MiB at a time, and three bytes are no divisor of one."""
    text = start + "漢" * 500_000
    assert upload(client, ("long.txt", text.encode())).status_code == 200
    assert contents(client) == {"long.txt": text}


def test_a_text_that_ends_in_the_middle_of_a_character(client: TestClient) -> None:
    for text in (b"paris \xe6\xbc", b"a" * ((1 << 20) - 2) + b"\xe6\xbc"):
        assert upload(client, ("cut.txt", text)).status_code == 415
    assert left_behind(client) == []


def test_files_are_kept_on_demand(client: TestClient) -> None:
    response = client.post("/file-upload?keep_files=true", files={"files": ("a.txt", b"paris")})
    assert response.status_code == 200
    [folder] = left_behind(client)
    [file] = folder.iterdir()
    assert file.read_bytes() == b"paris"
    assert file.name.endswith("a.txt")
    file.unlink()
    folder.rmdir()


def test_a_failing_node_leaves_no_files(client: TestClient, monkeypatch: Any) -> None:
    store = client.app.state.service.document_store  # type: ignore[attr-defined]

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(store, "write_documents", fail)
    response = upload(client, ("a.txt", b"paris"))
    assert response.status_code == 500
    assert "disk" not in response.text
    assert left_behind(client) == []


def test_office_documents() -> None:
    _check_zip(io.BytesIO(zipped(1_000)), "good.docx", 10_000)
    for content, status in ((zipped(50_000_000), 413), (b"PK\x03\x04 broken", 415)):
        with pytest.raises(HTTPException) as caught:
            _check_zip(io.BytesIO(content), "bad.docx", 1_000_000)
        assert caught.value.status_code == status


def test_overwriting_by_the_same_text(client: TestClient) -> None:
    for _ in range(3):
        assert upload(client, ("a.txt", b"paris is in france")).status_code == 200
    body = client.post("/query", json={"query": "where?"}).json()
    assert [document["content"] for document in body["documents"]] == ["paris is in france"]


def test_splitting(write_pipelines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # no sentence is looked for here, and Haystack's PreProcessor wants NLTK and its data all the same
    monkeypatch.setattr(preprocessor.nltk_import, "check", lambda: None)
    data = types.SimpleNamespace(find=lambda _: None)
    monkeypatch.setattr(preprocessor, "nltk", types.SimpleNamespace(data=data), raising=False)
    changes = {
        "    type: TextConverter\n": "    type: TextConverter\n  - name: PreProcessor\n    type: PreProcessor\n",
        "{name: Retriever, inputs: [Converter]}": "{name: PreProcessor, inputs: [Converter]}\n"
        "      - {name: Retriever, inputs: [PreProcessor]}",
    }
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, "memory", **changes))
    text = b"paris is in france.\n\nberlin is in germany."
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        for form, said in (
            ({"split_by": "klingon"}, "split_by"),
            ({"split_by": "klingon", "split_respect_sentence_boundary": "false"}, "split_by"),
            ({"split_by": "sentence"}, "split_respect_sentence_boundary"),
            ({"split_by": "passage", "split_respect_sentence_boundary": "true"}, "split_respect_sentence_boundary"),
            ({"additional_params": '{"PreProcessor": {"split_by": ["word"]}}'}, "split_"),
            ({"additional_params": '{"PreProcessor": {"split_length": 0}}'}, "split_length"),
            ({"additional_params": '{"split_overlap": -1}'}, "split_overlap"),
        ):
            response = upload(client, ("a.txt", text), **form)
            assert response.status_code == 400, response.text
            assert said in response.json()["errors"][0]
            assert contents(client) == {}
        by_passage = {"split_by": "passage", "split_length": "1", "split_respect_sentence_boundary": "false"}
        response = upload(client, ("a.txt", text), **by_passage)
        assert response.status_code == 200, response.text
        assert len(response.json()["documents"]) == 2
