"""Wrong arguments are told when the store is made, before it makes a file or loads a model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from haystack import Pipeline
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore, states
from haystack_deformer.document_stores.arguments import RepresentationSettings
from haystack_deformer.passages import load_encoder

LENGTHS = {
    "representation_max_seq_len": 50,
    "representation_doc_stride": 10,
    "representation_max_query_length": 15,
}


def test_no_model(make_store: Any) -> None:
    for missing in (None, ""):
        with pytest.raises(ValueError, match="deformer_model is missing: give the name or the path"):
            make_store(deformer_model=missing)


def test_a_folder_without_weights(make_store: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No model at"):
        make_store(deformer_model=str(tmp_path / "nowhere"))
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 4}')
    with pytest.raises(OSError, match=r"model\.safetensors"):
        make_store(deformer_model=str(tmp_path))


@pytest.mark.parametrize("cut", [4, 5, "4", -1, "two", 2.5, True])
def test_a_cut_that_does_not_fit(make_store: Any, cut: Any) -> None:
    with pytest.raises(ValueError, match="lower_layers"):
        make_store(lower_layers=cut)


def test_a_codec_that_faiss_does_not_know(make_store: Any) -> None:
    with pytest.raises(ValueError, match="SQ5"):
        make_store(representation_codec="SQ5")


@pytest.mark.parametrize("size", [0, -1, "x", None, 1.5])
def test_a_batch_size_that_is_none(make_store: Any, size: Any) -> None:
    with pytest.raises(ValueError, match="representation_batch_size must be a whole number of at least 1"):
        make_store(representation_batch_size=size)


def test_a_plain_checkpoint_gets_a_cut(make_store: Any, tiny_bert: Path) -> None:
    assert make_store(deformer_model=str(tiny_bert)).lower_layers == 3
    assert make_store(deformer_model=str(tiny_bert), lower_layers="0").lower_layers == 0
    assert make_store(deformer_model=tiny_bert, lower_layers="").lower_layers == 3


def lengths_of(store: Any) -> tuple[int, int, int]:
    config = store.encoder.model.deformer_config
    return config.max_seq_len, config.doc_stride, config.max_question_length


def test_lengths_of_its_own(make_store: Any) -> None:
    plain, store = make_store(), make_store(**LENGTHS)
    assert lengths_of(plain) == (62, 20, 20)
    assert lengths_of(store) == (50, 10, 15)
    assert store.representations.manifest.fingerprint != plain.representations.manifest.fingerprint
    # 50 less the question's 15 and its 2 special tokens, with the passage's own
    assert store.describe_representations()["details"]["window_length"] == 33
    assert lengths_of(make_store(representation_doc_stride="5", representation_max_seq_len="")) == (62, 5, 20)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"representation_max_seq_len": 0}, "representation_max_seq_len must be a whole number of at least 1, got 0"),
        ({"representation_doc_stride": 2.5}, "representation_doc_stride must be a whole number"),
        ({"representation_max_query_length": "x"}, "representation_max_query_length must be a whole number"),
        ({"representation_max_seq_len": 22}, "leaves no room for a passage .*representation_max_seq_len"),
        ({"representation_doc_stride": 40}, "doc_stride=40 is longer than .*representation_doc_stride"),
        ({"representation_max_query_length": 60}, "no room for a passage .*representation_max_query_length"),
        ({"representation_model_version": 1.0}, r"representation_model_version must be a text, got 1\.0"),
        ({"representation_use_auth_token": 1}, "representation_use_auth_token must be a token of the model hub"),
    ],
    ids=str,
)
def test_model_parameters_that_cannot_be(make_store: Any, tmp_path: Path, parameters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_store(**parameters)
    assert not list(tmp_path.iterdir())


def test_the_model_is_fetched_by_version_and_token(make_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(representation_model_version="v2", representation_use_auth_token="hf_secret")
    asked: dict[str, Any] = {}

    def load(name: str, **values: Any) -> Any:
        asked.update(values)
        return load_encoder(name, **values)

    monkeypatch.setattr(states, "load_encoder", load)
    store.write_documents([Document(content="paris is in france")])
    assert (asked["revision"], asked["token"]) == ("v2", "hf_secret")
    assert make_store(representation_use_auth_token="true").encoder_parameters["token"] is True


def test_a_token_is_not_shown(tiny_deformer: Path) -> None:
    settings = RepresentationSettings.checked(tiny_deformer, representation_use_auth_token="hf_secret")
    assert "hf_secret" not in repr(settings)
    assert settings.token == "hf_secret"


def test_yaml_round_trip(make_store: Any, tmp_path: Path) -> None:
    given = {**LENGTHS, "representation_model_version": "v2", "representation_use_auth_token": True}
    pipeline = Pipeline()
    pipeline.add_node(make_store(**given), "Store", ["File"])
    pipeline.save_to_yaml(tmp_path / "pipeline.yaml")
    [component] = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())["components"]
    assert given.items() <= component["params"].items()
    loaded = Pipeline.load_from_yaml(tmp_path / "pipeline.yaml").get_node("Store")
    assert lengths_of(loaded) == (50, 10, 15)
    assert loaded.encoder_parameters["revision"] == "v2"


def test_saved_with_the_index(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss(**LENGTHS)
    store.write_documents([Document(content="paris is in france")])
    store.save(tmp_path / "index.faiss")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    assert lengths_of(loaded) == (50, 10, 15)
    assert loaded.update_representations() == 0
    other = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss", representation_doc_stride=5)
    assert lengths_of(other) == (50, 5, 15)


def test_kept_by_a_copy(make_memory: Any) -> None:
    assert lengths_of(pickle.loads(pickle.dumps(make_memory(**LENGTHS)))) == (50, 10, 15)


def test_a_relative_path_is_that_of_the_time(
    make_store: Any, tiny_deformer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_deformer.parent)
    store = make_store(deformer_model=tiny_deformer.name)
    monkeypatch.chdir(tmp_path)
    assert store.deformer_model == str(tiny_deformer)
    store.write_documents([Document(content="paris is")])
    assert store.describe_representations()["count"] == 1
