"""The options of the commands that train: one for each setting of a run, listed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from haystack_deformer.cli.app import Model, clear_errors
from haystack_deformer.training.config import TrainingConfig

DEFAULT_HELD_OUT = 0.05
"""Of `distil`, which takes its figures there, and of what makes questions for it; `train` takes no figures."""
# max_grad_norm is left to Python
SETTINGS: dict[str, Any] = {
    "model": Model,
    "train": Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    "lower_layers": Annotated[int, typer.Option(help="The cut k, 0 to layers - 1.", min=0)],
    "teacher": Annotated[
        Path | None, typer.Option(help="Folder of a model trained with --lower-layers 0: distil from it.")
    ],
    "ensemble": Annotated[
        list[Path] | None, typer.Option(help="Folder of a further model whose logits are averaged with the teacher's.")
    ],
    "unlabelled": Annotated[
        list[Path] | None, typer.Option(help="SQuAD-format JSON whose questions are learnt from the teacher alone.")
    ],
    "hard_negatives": Annotated[
        float, typer.Option(help="Like passages of other questions that each question is asked of as well.", min=0)
    ],
    "ce_weight": Annotated[float, typer.Option(help="Gamma, of the labels' cross-entropy.")],
    "kd_weight": Annotated[float, typer.Option(help="Alpha, of the divergence from the teacher's logits.")],
    "lrs_weight": Annotated[
        float, typer.Option(help="Beta, of the difference from the teacher's states above the cut.")
    ],
    "temperature": Annotated[float, typer.Option(help="Divides the logits that are compared.")],
    "cut_warmup_ratio": Annotated[
        float, typer.Option(help="Share of the steps in which the cut climbs from 1 to --lower-layers.", min=0)
    ],
    "weight_averaging_ratio": Annotated[
        float, typer.Option(help="Share of the steps, the last ones, whose weights' mean is the model.", min=0, max=1)
    ],
    "freeze_embeddings": Annotated[
        bool, typer.Option(help="Leave the embeddings as they are: a fifth less of a small model's step on a CPU.")
    ],
    "freeze_lower": Annotated[
        bool, typer.Option(help="Train the layers above the cut alone: an index made before stays valid.")
    ],
    "learning_rate": Annotated[float, typer.Option(help="Peak learning rate (AdamW).")],
    "num_train_epochs": Annotated[float, typer.Option(help="Passes over the data.")],
    "max_steps": Annotated[int, typer.Option(help="Stop after so many steps in place of whole epochs.")],
    "batch_size": Annotated[int, typer.Option(help="Windows in a step.")],
    "questions_per_window": Annotated[
        int, typer.Option(help="Questions on one window in a batch, at most: they share its lower layers.", min=1)
    ],
    "warmup_ratio": Annotated[float, typer.Option(help="Share of the steps in which the learning rate rises.")],
    "weight_decay": Annotated[float, typer.Option(help="Weight decay (AdamW).")],
    "attention_dropout": Annotated[
        float | None,
        typer.Option(help="Attention dropout, replacing the model's; 0 makes a CPU step a third faster.", min=0),
    ],
    "hidden_dropout": Annotated[
        float | None, typer.Option(help="Dropout of the states between the layers, in place of the model's own.", min=0)
    ],
    "seed": Annotated[int, typer.Option(help="Seed of the data's order, dropout and a new head.")],
    "max_seq_len": Annotated[int, typer.Option(help="Tokens of a question and a window together.")],
    "doc_stride": Annotated[int, typer.Option(help="Tokens between the starts of two windows.")],
    "max_question_length": Annotated[int, typer.Option(help="Tokens of a question; longer ones are cut.")],
    "held_out": Annotated[float, typer.Option(help="Share of the passages that is left out of training.", min=0)],
    "bf16": Annotated[bool, typer.Option(help="Matrix products in bfloat16.")],
}
"""Fields of `TrainingConfig` with the type and the help of their options, in the order in which --help has them."""


def takes_settings(**defaults: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command an option for each setting of a training run.

    ```python
    @app.command()
    @takes_settings(held_out=0.05)
    def fit(config: TrainingConfig, output: Output) -> None: ...
    ```

    :param defaults: of settings, in place of those of `TrainingConfig`.
    :return: a decorator. The command's first parameter gets the settings; the others are its own options, and one that
        has a setting's name is no setting. What a user can mend is said in a line.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(signature(command, eval_str=True).parameters.values())[1:]
        names = [name for name in SETTINGS if name not in {parameter.name for parameter in own}]

        @wraps(command)
        def run(**values: Any) -> None:
            with clear_errors():
                command(_config({name: values.pop(name) for name in names}), **values)

        settings = [_parameter(name, defaults) for name in names]
        # --help begins with what has to be given
        parameters = sorted([*settings, *own], key=lambda parameter: parameter.default is not Parameter.empty)
        # typer reads the one for the parameters and the other for their types
        run.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameter(name: str, defaults: dict[str, Any]) -> Parameter:
    # a class has its fields' defaults as attributes; no files at all is None in typer, which makes lists of tuples
    default = defaults.get(name, getattr(TrainingConfig, name, Parameter.empty))
    default = None if default == () else default
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=SETTINGS[name])


def _config(values: dict[str, Any]) -> TrainingConfig:
    """Paths as text, which JSON keeps; lists of them as tuples."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(str, value))
        return str(value) if isinstance(value, Path) else value

    # no files at all, see `_parameter`
    none = {name: () for name, value in values.items() if value is None and getattr(TrainingConfig, name, None) == ()}
    return TrainingConfig(**{name: plain(value) for name, value in values.items()} | none)
