"""The mean of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_encoder, load_tokenizer
from haystack_deformer.training.averaging import average
from tests.training.weights import weights


@pytest.fixture(scope="module")
def cut(make_tiny_bert: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A factory of models at a cut, of one vocabulary and shape where nothing else is said."""

    def make(seed: int, lower_layers: int = 2, **values: Any) -> Path:
        upstream = make_tiny_bert(**values)
        model = DeFormerForQuestionAnswering.from_pretrained(upstream, lower_layers)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        folder = tmp_path_factory.mktemp("models") / f"seed{seed}"
        model.save_pretrained(folder, load_tokenizer(upstream))
        return folder

    return make


@pytest.fixture(scope="module")
def models(cut: Any) -> list[Path]:
    return [cut(seed) for seed in range(3)]


def assert_is(folder: Path, expected: dict[str, torch.Tensor]) -> None:
    found = weights(folder)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-6)


def test_mean(models: list[Path], tmp_path: Path) -> None:
    average(models, tmp_path / "mean")
    one, two, three = map(weights, models)
    assert_is(tmp_path / "mean", {name: (one[name] + two[name] + three[name]) / 3 for name in one})


def test_shares_in_any_unit(models: list[Path], tmp_path: Path) -> None:
    average(models[:2], tmp_path / "mean", weights=(30, 70))
    one, two = map(weights, models[:2])
    assert_is(tmp_path / "mean", {name: 0.3 * one[name] + 0.7 * two[name] for name in one})


def test_a_share_of_zero_leaves_the_other(models: list[Path], tmp_path: Path) -> None:
    average(models[:2], tmp_path / "mean", weights=(1, 0))
    assert_is(tmp_path / "mean", weights(models[0]))


def test_what_is_saved_loads_and_is_what_is_returned(models: list[Path], tmp_path: Path) -> None:
    mean = average(models, tmp_path / "mean", dtype=torch.float16)
    encoder = load_encoder(tmp_path / "mean")
    assert encoder.model.lower_layers == mean.lower_layers == 2
    assert weights(tmp_path / "mean")["qa_outputs.weight"].dtype == torch.float16
    torch.testing.assert_close(
        encoder.model.state_dict()["model.qa_outputs.weight"],
        mean.state_dict()["model.qa_outputs.weight"],
        rtol=1e-2,
        atol=1e-2,
    )


class TestRefuses:
    def test_fewer_than_two(self, models: list[Path], tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="two models or more, got 1"):
            average(models[:1], tmp_path / "mean")

    @pytest.mark.parametrize(
        ("shares", "message"),
        [
            ((1,), "1 weights for 2 models"),
            ((0, 0), r"not all 0, got \[0, 0\]"),
            ((1, -1), r"shares of 0 or more and not all 0, got \[1, -1\]"),
            ((1, float("nan")), "shares of 0 or more"),
        ],
    )
    def test_shares_that_are_none(self, models: list[Path], tmp_path: Path, shares: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            average(models[:2], tmp_path / "mean", weights=shares)
        assert not (tmp_path / "mean").exists()

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"lower_layers": 1}, r"cut \(lower_layers\) of .* differ: 1 against 2"),
            ({"intermediate_size": 48}, "weights of .* differ"),
            # of the same shapes, and of another meaning
            ({"num_attention_heads": 2}, "config of .* differ: .*'num_attention_heads': 2.* against "),
            ({"hidden_act": "relu"}, "config of .* differ: .*'hidden_act': 'relu'.* against "),
        ],
    )
    def test_models_that_do_not_fit(
        self, cut: Any, models: list[Path], tmp_path: Path, values: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            average([cut(3, **values), models[0]], tmp_path / "mean")
        assert not (tmp_path / "mean").exists()

    def test_to_take_the_place_of_a_model(self, models: list[Path], tmp_path: Path) -> None:
        before = weights(models[0])
        with pytest.raises(ValueError, match="is one of the models"):
            average(models[:2], tmp_path / ".." / tmp_path.name / models[0])
        assert_is(models[0], before)

    def test_another_vocabulary(self, cut: Any, models: list[Path], tmp_path: Path) -> None:
        other = cut(4)
        tokenizer = load_tokenizer(other)
        tokenizer.add_tokens(["zebra"])
        model = DeFormerForQuestionAnswering.from_pretrained(other)
        model.save_pretrained(other, tokenizer)
        with pytest.raises(ValueError, match="tokenizer"):
            average([other, models[0]], tmp_path / "mean")


def test_settings_of_an_earlier_run_are_not_the_means(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mean").mkdir()
    (tmp_path / "mean" / "training_config.json").write_text("{}")
    average(models[:2], tmp_path / "mean")
    assert not (tmp_path / "mean" / "training_config.json").exists()


def test_models_without_a_cut_are_refused(models: list[Path], make_tiny_bert: Any, tmp_path: Path) -> None:
    plain = make_tiny_bert(3)
    with pytest.raises(ValueError, match=r"records no cut, .* `haystack-deformer train` it"):
        average([models[0], plain], tmp_path)
    assert not any(tmp_path.iterdir())


def test_what_a_mean_is_of_is_written(models: list[Path], tmp_path: Path) -> None:
    average(models, tmp_path, weights=[2, 1, 1])
    parts = json.loads((tmp_path / "averaged_models.json").read_text())
    assert parts == {"models": [str(path) for path in models], "weights": [0.5, 0.25, 0.25]}


def test_command(models: list[Path], tmp_path: Path) -> None:
    arguments = ["average", "--model", str(models[0]), "--model", str(models[1])]
    result = CliRunner().invoke(
        app, [*arguments, "--weight", "1", "--weight", "3", "--output", str(tmp_path / "mean"), "--fp16-weights"]
    )
    assert result.exit_code == 0, result.output
    one, two = map(weights, models[:2])
    for name, tensor in weights(tmp_path / "mean").items():
        torch.testing.assert_close(tensor.float(), one[name] / 4 + two[name] * 3 / 4, rtol=1e-2, atol=1e-2)
    result = CliRunner().invoke(app, [*arguments[:3], "--output", str(tmp_path / "other")])
    assert result.exit_code == 2
    assert "two models or more" in result.output
