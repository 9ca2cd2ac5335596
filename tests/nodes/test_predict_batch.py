from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.errors import HaystackError
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader
from tests.nodes.comparing import stripped


@pytest.mark.parametrize("form", ["one-flat", "one-nested", "many-flat", "many-nested"])
def test_predict_batch_equals_predict(plain: DeFormerReader, documents: list[Document], form: str) -> None:
    queries = ["who"] if form.startswith("one") else ["who", "what is the capital"]
    if form == "one-flat":
        expected = [plain.predict("who", [document])["answers"] for document in documents]
        asked: Any = documents
    elif form == "one-nested":
        asked = [documents[:2], documents[2:], documents]
        expected = [plain.predict("who", some)["answers"] for some in asked]
    elif form == "many-flat":
        asked = documents
        expected = [[plain.predict(query, [d])["answers"] for d in documents] for query in queries]
    else:
        asked = [documents[:3], documents]
        expected = [plain.predict(query, some)["answers"] for query, some in zip(queries, asked, strict=True)]
    result = plain.predict_batch(queries, asked)
    assert set(result) == {"queries", "answers", "no_ans_gaps"}
    assert result["queries"] == queries
    assert stripped(result["answers"]) == stripped(expected)
    in_pipeline, _ = plain.run_batch(queries, asked)
    assert stripped(in_pipeline["answers"]) == stripped(expected)


def test_predict_batch_with_an_empty_list(
    plain: DeFormerReader, documents: list[Document], tiny_deformer: Path
) -> None:
    assert plain.predict_batch(["who", "what"], [[], documents])["answers"][0] == []
    unsure = DeFormerReader(str(tiny_deformer), return_no_answer=True, progress_bar=False)
    [empty, full] = unsure.predict_batch(["who", "what"], [[], documents])["answers"]
    assert [answer.answer for answer in empty] == [""]
    assert len(full) > 1
    [empty, _] = unsure.run_batch(["who", "what"], [[Document(content=" ")], documents])[0]["answers"]
    assert [answer.answer for answer in empty] == [""]


def test_predict_batch_refuses_what_does_not_fit(plain: DeFormerReader, documents: list[Document]) -> None:
    with pytest.raises(HaystackError, match="3 queries and 2 lists"):
        plain.predict_batch(["a", "b", "c"], [documents, documents])
    with pytest.raises(HaystackError, match="expected a Document"):
        plain.predict("who", ["text"])  # type: ignore[list-item]
    with pytest.raises(HaystackError, match="list of Documents"):
        plain.predict_batch(["who", "what"], [documents, documents[0]])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="use predict"):
        plain.predict_batch("who", documents)  # type: ignore[arg-type]


def test_predict_batch_reads_each_passage_once(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], monkeypatch: Any
) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    asked: list[int] = []
    get = store.representations.get
    monkeypatch.setattr(store.representations, "get", lambda keys: asked.append(len(keys)) or get(keys))
    reader.predict_batch(["who", "what", "where"], [documents, documents[:2], documents[1:]])
    assert asked == [len(documents)]
