"""Uploads: what is taken, what is refused, and that nothing is left behind."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException, UploadFile
from fastapi.testclient import TestClient
from haystack.document_stores import SQLDocumentStore
from haystack.nodes import TextConverter

from haystack_deformer.rest_api.params import BOUNDS
from haystack_deformer.rest_api.uploads import _check_zip, safe_name, saved


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
    good = json.dumps({"Converter": {"valid_languages": None}})
    assert upload(client, ("a.txt", b"paris"), additional_params=good).status_code == 200
    for bad in (
        {"Nobody": {}},
        {"Converter": {"nothing": 1}},
        {"Converter": {"encoding": "latin-1"}},
        {"encoding": "latin-1"},
        {"Converter": {"debug": True}},
        {"debug": True},
        {"Converter": {"known_ligatures": {"a": "b"}}},
        {"known_ligatures": {"a": "b"}},
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


@pytest.mark.parametrize(
    "name", ["\u8cc7\u6599\u30001.txt", "10.00\u202fAM.txt", "a\xa0b.txt", "\U0001f468\u200d\U0001f469.txt"]
)
def test_names_in_all_languages(name: str) -> None:
    assert safe_name(name) == name


def test_what_the_server_lacks_is_not_the_files_fault(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*args: Any, **kwargs: Any) -> Any:
        msg = "name 'langdetect' is not defined"
        raise NameError(msg)

    monkeypatch.setattr(TextConverter, "convert", convert)
    response = upload(client, ("a.txt", b"paris"))
    assert response.status_code == 500
    assert "langdetect" not in response.text


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
def test_characters_across_blocks(tmp_path: Path, start: str) -> None:
    """Text is looked at a MiB at a time, and three bytes are no divisor of one."""
    content = (start + "漢" * 500_000).encode()
    files = [UploadFile(io.BytesIO(content), filename="long.txt")]
    with saved(files, tmp_path, {".txt"}, len(content), keep=False) as written:
        assert [(path.read_bytes(), name) for path, name in written.items()] == [(content, "long.txt")]


def test_a_file_in_which_the_converter_finds_no_text(client: TestClient) -> None:
    """As in a scan: such documents have one id, and the store would keep the last of them."""
    response = upload(client, ("table.txt", b"1 2 3\n4 5 6"), remove_numeric_tables="true")
    assert response.status_code == 400
    assert "Converter finds no text in 'table.txt'" in response.json()["errors"][0]
    assert contents(client) == {}


def test_a_byte_order_mark_is_no_letter(client: TestClient) -> None:
    assert upload(client, ("a.txt", "\ufeffParis.".encode())).status_code == 200
    assert upload(client, ("b.txt", b"Rome")).status_code == 200
    assert contents(client) == {"a.txt": "Paris.", "b.txt": "Rome"}


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


@pytest.mark.parametrize("name", ["split_length", "split_overlap"])
def test_bounds_of_the_form_are_those_of_the_params(client: TestClient, name: str) -> None:
    least, most = BOUNDS[name]
    for value in (least - 1, most + 1):
        response = upload(client, ("a.txt", b"paris"), **{name: str(value)})
        assert response.status_code == 422, response.text
        assert name in response.json()["errors"][0]
    for value in (least, most):
        assert upload(client, ("a.txt", b"paris"), **{name: str(value)}).status_code == 200


def test_a_folder_that_the_system_has_cleared_away(client: TestClient, tmp_path: Path) -> None:
    folder = client.app.state.service.upload_path  # type: ignore[attr-defined]
    shutil.rmtree(folder)
    assert upload(client, ("a.txt", b"paris")).status_code == 200
    assert left_behind(client) == []
    deep = tmp_path / "gone" / "too"
    with saved([], deep, None, 1, keep=False):
        assert deep.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", ["city", 5, None, [], {}, {"label": "city", "score": 1}], ids=str)
def test_a_classification_that_is_none(client: TestClient, given: Any) -> None:
    """SQL stores take it apart, for Haystack's classifier writes it; others keep any."""
    in_sql = isinstance(client.app.state.service.document_store, SQLDocumentStore)  # type: ignore[attr-defined]
    response = upload(client, ("a.txt", b"paris"), meta=json.dumps({"classification": given}))
    assert response.status_code == (400 if in_sql else 200), response.text
    assert not in_sql or "meta.classification" in response.json()["errors"][0]
    whole = {"label": "city", "score": 0.5, "details": {"city": 0.5}}
    assert upload(client, ("b.txt", b"berlin"), meta=json.dumps({"classification": whole})).status_code == 200
