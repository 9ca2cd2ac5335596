"""Which model and which states a reader reads with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import InMemoryDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.passages import load_tokenizer
from tests.nodes.comparing import stripped


def test_needs_a_model() -> None:
    with pytest.raises(ValueError, match="model_name_or_path"):
        DeFormerReader()


def test_weights_are_loaded_once(store: DeFormerInMemoryDocumentStore, tiny_deformer: Path) -> None:
    store.write_documents([Document(content="the river")])
    reader = DeFormerReader(str(tiny_deformer), document_store=store)
    assert reader._reader.encoder is store.encoder
    assert reader._reader.representations is store.representations
    assert DeFormerReader(document_store=store)._reader.encoder is store.encoder


def test_a_folder_of_the_users_home(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tiny_deformer.parent))
    reader = DeFormerReader(f"~/{tiny_deformer.name}", document_store=store)
    assert reader.encoder is store.encoder
    assert DeFormerReader(f"~/{tiny_deformer.name}").encoder.fingerprint == reader.encoder.fingerprint


def test_another_cut_than_the_stores_is_said_and_answered(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], caplog: Any
) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, lower_layers=1, progress_bar=False)
    assert "another model, cut or window" in caplog.text
    plain = DeFormerReader(str(tiny_deformer), lower_layers=1, progress_bar=False)
    assert stripped(reader.predict("who", documents)["answers"]) == stripped(plain.predict("who", documents)["answers"])


def test_lengths_and_version_are_the_stores(tiny_deformer: Path, documents: list[Document], caplog: Any) -> None:
    store = DeFormerInMemoryDocumentStore(
        deformer_model=str(tiny_deformer),
        lower_layers=1,
        representation_max_seq_len=50,
        representation_doc_stride=10,
        representation_max_query_length=15,
        representation_model_version="v2",
        progress_bar=False,
    )
    store.write_documents(documents)
    caplog.clear()
    for reader in (
        DeFormerReader(document_store=store, progress_bar=False),
        DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False),
        DeFormerReader(document_store=store, max_seq_len=50, doc_stride=10, max_query_length=15, progress_bar=False),
    ):
        assert reader.encoder is store.encoder
        assert reader.predict("who", documents)["answers"]
    assert not caplog.records
    DeFormerReader(document_store=store, doc_stride=5, progress_bar=False)
    assert "another model, cut or window" in caplog.text
    assert "leave the reader's lower_layers, model_version, max_seq_len" in caplog.text


def test_of_another_model_the_store_says_nothing(tiny_deformer: Path, tiny_bert: Path) -> None:
    store = DeFormerInMemoryDocumentStore(
        deformer_model=str(tiny_deformer), representation_max_seq_len=50, progress_bar=False
    )
    config = DeFormerReader(str(tiny_bert), document_store=store, progress_bar=False).encoder.model.deformer_config
    assert (config.lower_layers, config.max_seq_len) == (3, 256)


def test_a_store_of_another_model_does_not_change_the_cut(
    store: DeFormerInMemoryDocumentStore, make_tiny_bert: Any, tmp_path: Path, documents: list[Document]
) -> None:
    DeFormerForQuestionAnswering.from_pretrained(make_tiny_bert(seed=1, layers=2), 1).save_pretrained(
        tmp_path, load_tokenizer(str(store.deformer_model))
    )
    reader = DeFormerReader(str(tmp_path), document_store=store, progress_bar=False)
    assert reader._reader.encoder.model.lower_layers == 1
    plain = DeFormerReader(str(tmp_path), progress_bar=False)
    assert stripped(reader.predict("who", documents)["answers"]) == stripped(plain.predict("who", documents)["answers"])


@pytest.mark.parametrize("cut", [3, 0])
def test_a_cut_that_was_not_trained_is_said(tiny_deformer: Path, tiny_bert: Path, caplog: Any, cut: int) -> None:
    for model in (tiny_deformer, tiny_bert):
        caplog.clear()
        reader = DeFormerReader(str(model), lower_layers=cut)
        assert reader.encoder.model.lower_layers == cut
        assert f"was not trained for {'the cut ' if cut else ''}lower_layers={cut}" in caplog.text
    caplog.clear()
    DeFormerReader(str(tiny_deformer), lower_layers=2)
    assert not caplog.records


@pytest.mark.parametrize("given", ["v1.2", 5])
def test_what_is_no_document_store(tiny_deformer: Path, given: Any) -> None:
    with pytest.raises(ValueError, match=rf"document_store={given!r} is no document store.*model_version"):
        DeFormerReader(str(tiny_deformer), given)


def test_a_store_without_states_is_said_once(tiny_deformer: Path, caplog: Any) -> None:
    DeFormerReader(str(tiny_deformer), InMemoryDocumentStore(), progress_bar=False)
    assert caplog.text.count("keeps no states") == 1
