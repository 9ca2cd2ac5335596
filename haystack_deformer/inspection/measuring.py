"""A model of random weights is timed, a layer at a time, and the cuts' costs follow by arithmetic."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import torch

from haystack_deformer.inspection.report import CutCosts, Inspection
from haystack_deformer.modeling import Block, DeFormerConfig, DeFormerForQuestionAnswering, TokenContext
from haystack_deformer.modeling.costs import compute_ratio
from haystack_deformer.modeling.loading import new_upstream, resolve_config
from haystack_deformer.representations import RepresentationCodec

CODECS = ("Flat", "SQfp16", "SQ8", "SQ4")
_BATCH_SIZE = 50


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
    model = DeFormerForQuestionAnswering(new_upstream(config), DeFormerConfig(0)).eval()
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
