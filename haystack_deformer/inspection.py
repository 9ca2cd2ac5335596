"""What each cut of a model would save on this machine, so that a user can choose one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from transformers import AutoModelForQuestionAnswering, PretrainedConfig

from haystack_deformer.modeling import (
    Block,
    DeFormerConfig,
    DeFormerForQuestionAnswering,
    TokenContext,
    backbone_class,
)
from haystack_deformer.modeling.costs import compute_ratio
from haystack_deformer.modeling.loading import resolve_config
from haystack_deformer.representations import RepresentationCodec

CODECS = ("Flat", "SQfp16", "SQ8", "SQ4")
_BATCH_SIZE = 50


@dataclass(frozen=True)
class CutCosts:
    """
    What one cut costs at query time.

    :param lower_layers: the cut k.
    :param compute_ratio: how many times less is computed than without a cut, by arithmetic.
    :param milliseconds: for a question on all passages, their states at hand.
    :param speedup: the milliseconds without a cut, divided by these.
    """

    lower_layers: int
    compute_ratio: float
    milliseconds: float
    speedup: float


@dataclass(frozen=True)
class Inspection:
    """
    A model's cuts, and what its states take to store.

    :param model: name or folder.
    :param model_type: the family.
    :param num_layers: of the whole model.
    :param hidden_size: width of a state.
    :param lower_layers: the cut that the model records; None: none.
    :param question_length: tokens of the question, special tokens included.
    :param passage_length: tokens of each passage, special tokens included.
    :param passages: how many are read for a question.
    :param threads: of torch, in the measurement.
    :param device: where it was measured.
    :param cuts: for each k from 0.
    :param bytes_per_passage: by codec, the states alone.
    """

    model: str
    model_type: str
    num_layers: int
    hidden_size: int
    lower_layers: int | None
    question_length: int
    passage_length: int
    passages: int
    threads: int
    device: str
    cuts: list[CutCosts]
    bytes_per_passage: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def to_table(self) -> str:
        """As a person reads it."""
        recorded = "no cut recorded" if self.lower_layers is None else f"cut after layer {self.lower_layers}"
        lines = [
            f"{self.model}: {self.model_type}, {self.num_layers} layers, {self.hidden_size} wide, {recorded}",
            (
                f"A question of {self.question_length} tokens, {self.passages} passages of {self.passage_length}; "
                f"{self.device}, {self.threads} threads"
            ),
            "",
            f"{'k':>3}  {'compute':>9}  {'ms':>9}  {'faster':>7}",
        ]
        lines += [
            f"{cut.lower_layers:>3}  {f'1/{cut.compute_ratio:.2f}':>9}  {cut.milliseconds:>9.1f}  {cut.speedup:>6.2f}x"
            for cut in self.cuts
        ]
        lines += ["", "States of a passage, by codec:"]
        lines += [f"{codec:>8}  {size:>11,} bytes" for codec, size in self.bytes_per_passage.items()]
        lines += [
            "",
            "compute: multiplications of the layers, by arithmetic. ms: of the model alone, weights and states random;",
            "all layers over the question and all over the joined sequences were timed, divided by their number and",
            "summed for each k. Tokenizing, retrieval and reading the states come on top.",
        ]
        return "\n".join(lines)


def inspect_model(
    name_or_path: str | os.PathLike[str],
    *,
    question_length: int = 16,
    passage_length: int = 176,
    passages: int = 10,
    codecs: Sequence[str] = CODECS,
    repeats: int = 3,
    revision: str | None = None,
    token: str | bool | None = None,
) -> Inspection:
    """
    Compute and measure, on the CPU, what each cut of a model saves. Reads its config, no weights: time does not depend
    on them.

    :param name_or_path: a name on the model hub or a folder.
    :param question_length: tokens of the question, special tokens included.
    :param passage_length: tokens of each passage, special tokens included.
    :param passages: how many are read for a question.
    :param codecs: faiss factory strings.
    :param repeats: of each measurement, after one to warm up; the median counts.
    :param revision: branch, tag or commit on the model hub.
    :param token: for a private model of the hub.
    :raises ValueError: for a family that is not known, or lengths below 1 or beyond the model's positions.
    :raises OSError: where there is no config.
    """
    lengths = {"question_length": question_length, "passage_length": passage_length, "passages": passages}
    for name, value in {**lengths, "repeats": repeats}.items():
        if value < 1:
            msg = f"{name} must be at least 1, got {value}."
            raise ValueError(msg)
    config, _ = resolve_config(name_or_path, 0, revision=revision, token=token)
    model = _random_model(config)
    for name in ("question_length", "passage_length"):
        longest = model.backbone.max_block_length
        if longest is not None and lengths[name] > longest:
            msg = f"{name}={lengths[name]} is more than the {longest} positions of the model: give at most {longest}."
            raise ValueError(msg)
    recorded = getattr(config, "deformer", None) or {}
    sizes = {codec: RepresentationCodec(codec, model.backbone.hidden_size).code_size for codec in codecs}
    seconds = _measure(model, question_length, passage_length, passages, repeats)
    return Inspection(
        model=str(name_or_path),
        model_type=config.model_type,
        num_layers=model.num_layers,
        hidden_size=model.backbone.hidden_size,
        lower_layers=recorded.get("lower_layers"),
        **lengths,
        threads=torch.get_num_threads(),
        device=model.device.type,
        cuts=[
            CutCosts(
                lower_layers=number,
                compute_ratio=compute_ratio(config, number, **lengths),
                milliseconds=1000 * seconds(number),
                speedup=seconds(0) / seconds(number),
            )
            for number in range(model.num_layers)
        ],
        bytes_per_passage={codec: passage_length * size for codec, size in sizes.items()},
    )


def _random_model(config: PretrainedConfig) -> DeFormerForQuestionAnswering:
    """The architecture with weights as training begins with them."""
    backbone = backbone_class(config.model_type)
    config.num_labels = 2
    upstream = backbone.upstream_class(config)
    if upstream is AutoModelForQuestionAnswering:
        chosen = backbone.attention_implementation
        model = upstream.from_config(config, **({} if chosen is None else {"attn_implementation": chosen}))
    else:
        model = upstream(config)
    return DeFormerForQuestionAnswering(model, DeFormerConfig(0)).eval()


@torch.inference_mode()
def _measure(
    model: DeFormerForQuestionAnswering, question_length: int, passage_length: int, passages: int, repeats: int
) -> Callable[[int], float]:
    """Seconds as a function of the cut, from those of a layer over the question and one over joined sequences."""
    backbone, layers = model.backbone, model.num_layers
    # the second of the vocabulary, which every model has
    question_ids = torch.ones((1, question_length), dtype=torch.int64, device=model.device)
    question = backbone.embed(question_ids, Block.QUESTION)
    positions = torch.arange(question_length, device=model.device)[None]
    context = TokenContext(attention=None, positions=positions, segments=torch.zeros_like(positions))
    states = torch.randn((passages, passage_length, backbone.hidden_size), device=model.device)
    batches = states.split(_BATCH_SIZE)

    embed = _median_seconds(lambda: backbone.embed(question_ids, Block.QUESTION), repeats)
    lower = _median_seconds(lambda: backbone.run_layers(question, 0, layers, context), repeats)
    upper = _median_seconds(lambda: [model.read(question, batch) for batch in batches], repeats)
    return lambda number: embed + (number * lower + (layers - number) * upper) / layers


def _median_seconds(run: Callable[[], object], repeats: int) -> float:
    run()
    seconds = []
    for _ in range(repeats):
        begin = perf_counter()
        run()
        seconds.append(perf_counter() - begin)
    return median(seconds)
