"""What a run writes, and what it finds written: weights first, and last the settings that say that they are whole."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from transformers import AutoConfig, PreTrainedTokenizerFast

from haystack_deformer.files import write_atomically
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.modeling.loading import resolve_config
from haystack_deformer.passages import load_tokenizer
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import PARTS_FILE, SETTINGS_FILE, several_processes

logger = logging.getLogger(__name__)


def check_output(
    config: TrainingConfig, output: str | os.PathLike[str], checkpoints: str | os.PathLike[str] | None = None
) -> None:
    """
    Refuse to write over what a run begins with: it could not be resumed, and the model would be lost.

    :param config: the run's settings.
    :param output: folder for the trained model.
    :param checkpoints: folder for checkpoints; None: one within the output.
    :raises ValueError: where the output is the model's, the teacher's or the checkpoints', or either is a file.
    """
    for path in (output, checkpoints):
        if path is not None and Path(path).exists() and not Path(path).is_dir():
            msg = f"{str(path)!r} is a file, and the run writes into a folder: give another name."
            raise ValueError(msg)
    if checkpoints is not None and Path(checkpoints).resolve() == Path(output).resolve():
        # settings beside checkpoints say that a run was begun, beside weights that it is finished
        msg = (
            f"{str(output)!r} is for the trained model: give the checkpoints another folder, or none, and they go into "
            "'checkpoints' in it."
        )
        raise ValueError(msg)
    begins_with = [("the model", config.model), ("the teacher", config.teacher)]
    begins_with += [("in the ensemble", name) for name in config.ensemble]
    for what, given in begins_with:
        if given is not None and Path(given).resolve() == Path(output).resolve():
            msg = f"{str(output)!r} is {what} of the run, which would be written over: give another output."
            raise ValueError(msg)


def save_trained(
    model: DeFormerForQuestionAnswering,
    tokenizer: PreTrainedTokenizerFast,
    output: str | os.PathLike[str],
    settings: bytes | None,
    dtype: torch.dtype | None,
) -> None:
    """
    Write a model, and what it was trained with when it is whole: a run that is stopped between writes it again.

    :param model: trained.
    :param tokenizer: of the same.
    :param output: folder for both.
    :param settings: of the run, as a folder of checkpoints has them; None: it is of no one run.
    :param dtype: of the written weights; None: fp32.
    """
    file = Path(output) / SETTINGS_FILE
    for left in (file, Path(output) / PARTS_FILE):
        left.unlink(missing_ok=True)
    model.save_pretrained(output, tokenizer, dtype=dtype)
    if settings is not None:
        write_atomically(file, settings)


def kept_model(
    config: TrainingConfig, output: str | os.PathLike[str], dtype: torch.dtype | None
) -> DeFormerForQuestionAnswering:
    """
    The model of a run that is finished, written again where one process asks for its weights in another dtype.

    :param config: the run's settings.
    :param output: folder of the trained model.
    :param dtype: of the written weights; None: as they are.
    :return: in evaluation mode.
    :raises ValueError: where the dtype would round frozen layers.
    """
    logger.info("%s is trained already.", output)
    written = AutoConfig.from_pretrained(output).torch_dtype
    model = DeFormerForQuestionAnswering.from_pretrained(output)
    if dtype is None and written != torch.float32:
        logger.warning("The weights in %s are in %s, and what was rounded does not come back.", output, written)
    elif dtype is not None and written != dtype and several_processes():
        # while one of them wrote, another might find no finished run, and wait for it in vain
        logger.warning("The weights in %s are in %s and stay so: one process writes them in another.", output, written)
    elif dtype is not None and written != dtype:
        if config.freeze_lower:
            model.freeze_lower()
            check_index_stays_valid(config, model, dtype)
        settings = (Path(output) / SETTINGS_FILE).read_bytes()
        save_trained(model, load_tokenizer(output), output, settings, dtype)
    return model


def check_index_stays_valid(
    config: TrainingConfig, model: DeFormerForQuestionAnswering, dtype: torch.dtype | None
) -> None:
    """
    Refuse what would make another index than that of the model a run with frozen lower layers starts from.

    An index is of windows as well as of weights.

    :param config: the run's settings.
    :param model: its student, the layers frozen.
    :param dtype: of the written weights; None: fp32.
    :raises ValueError: names the lengths to give, or the dtype.
    """
    recorded = resolve_config(config.model, config.lower_layers)[1]
    lengths = {name: getattr(recorded, name) for name in ("max_seq_len", "doc_stride", "max_question_length")}
    if any(getattr(config, name) != length for name, length in lengths.items()):
        asked = ", ".join(f"{name}={length}" for name, length in lengths.items())
        msg = (
            f"freeze_lower=True keeps an index of {config.model!r} valid with the lengths of that model alone: {asked}."
        )
        raise ValueError(msg)
    if dtype is not None and any(
        not torch.equal(parameter, parameter.to(dtype).to(parameter.dtype))
        for parameter in model.parameters()
        if not parameter.requires_grad
    ):
        msg = f"Weights written in {dtype} would round the frozen layers, and no index made before would be valid."
        raise ValueError(msg)
