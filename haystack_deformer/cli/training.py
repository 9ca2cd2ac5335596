"""`train` and `distil`: from any checkpoint to a model at a cut."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app
from haystack_deformer.cli.training_options import DEFAULT_HELD_OUT, takes_settings
from haystack_deformer.training.config import TrainingConfig

Output = Annotated[Path, typer.Option(help="Folder for the trained model.")]
Fp16Weights = Annotated[bool, typer.Option(help="Write the weights in fp16, half the bytes.")]
TeacherOutputs = Annotated[
    Path | None,
    typer.Option(help="Folder to keep the teacher's outputs in: it runs in the first epoch alone. Takes gigabytes."),
]
SaveSteps = Annotated[int, typer.Option(help="Steps from one checkpoint to the next.", min=1)]


@app.command()
@takes_settings()
def train(
    config: TrainingConfig,
    *,
    output: Output,
    fp16_weights: Fp16Weights = False,
    teacher_outputs: TeacherOutputs = None,
    checkpoints: Annotated[Path | None, typer.Option(help="Checkpoints' folder. Default: OUTPUT/checkpoints.")] = None,
    save_steps: SaveSteps = 500,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint where there is one.")] = True,
) -> None:
    """
    Fine-tune a model at a cut, with a teacher or without. The defaults are the paper's.

    Started again, it goes on where it was stopped.
    """
    import torch

    from haystack_deformer.training.run import train as run

    run(
        config,
        output,
        checkpoints=checkpoints,
        save_steps=save_steps,
        resume=resume,
        teacher_outputs=teacher_outputs,
        dtype=torch.float16 if fp16_weights else None,
    )
    typer.echo(f"The model is in {output}.")


@app.command()
@takes_settings(held_out=DEFAULT_HELD_OUT)
def distil(
    config: TrainingConfig,
    *,
    output: Output,
    teacher: Annotated[
        Path | None, typer.Option(help="A teacher that is trained already. Default: one is trained in OUTPUT/teacher.")
    ] = None,
    teacher_epochs: Annotated[
        float | None, typer.Option(help="Passes of the teacher over the data. Default: as many as the student's.")
    ] = None,
    eval_data: Annotated[
        list[Path] | None, typer.Option(help="SQuAD-format JSON for the figures. Default: the held-out passages.")
    ] = None,
    fp16_weights: Fp16Weights = False,
    teacher_outputs: TeacherOutputs = None,
    save_steps: SaveSteps = 500,
) -> None:
    """
    The whole recipe: a teacher with full attention, a student at the cut that learns from it, a card with figures.

    Started again, it goes on where it was stopped.
    """
    import torch

    from haystack_deformer.training.recipe import distil as run

    card = run(
        config,
        output,
        teacher=teacher,
        teacher_epochs=teacher_epochs,
        eval_data=eval_data or (),
        save_steps=save_steps,
        teacher_outputs=teacher_outputs,
        dtype=torch.float16 if fp16_weights else None,
    )
    typer.echo(f"The model is in {output}, its figures in {card}.")
