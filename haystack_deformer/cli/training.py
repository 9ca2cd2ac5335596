"""`train`, `distil` and `evaluate`: from any checkpoint to a model at a cut, and how good it is."""

# torch takes seconds to import: each command imports what it needs, so that --help is at once
# ruff: noqa: PLC0415

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from haystack_deformer.cli.app import Backend, Codec, Dtype, LowerLayers, Model, app, clear_errors
from haystack_deformer.training.config import TrainingConfig

Train = Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")]
Cut = Annotated[int, typer.Option(help="The cut k, 0 to layers - 1.", min=0)]
Output = Annotated[Path, typer.Option(help="Folder for the trained model.")]
MaxSteps = Annotated[int, typer.Option(help="Stop after so many steps in place of whole epochs.")]
MaxSeqLen = Annotated[int, typer.Option(help="Tokens of a question and a window together.")]
DocStride = Annotated[int, typer.Option(help="Tokens between the starts of two windows.")]
MaxQuestionLength = Annotated[int, typer.Option(help="Tokens of a question; longer ones are cut.")]
HeldOut = Annotated[float, typer.Option(help="Share of the passages that no step sees.", min=0)]
AttentionDropout = Annotated[
    float | None, typer.Option(help="In place of the model's own; 0 makes a step on a CPU a third faster.", min=0)
]
Bf16 = Annotated[bool, typer.Option(help="Matrix products in bfloat16.")]
Unlabelled = Annotated[
    list[Path] | None, typer.Option(help="SQuAD-format JSON whose questions are learnt from the teacher alone.")
]
CeWeight = Annotated[float, typer.Option(help="Gamma, of the labels' cross-entropy.")]
KdWeight = Annotated[float, typer.Option(help="Alpha, of the divergence from the teacher's logits.")]
LrsWeight = Annotated[float, typer.Option(help="Beta, of the difference from the teacher's states above the cut.")]
Temperature = Annotated[float, typer.Option(help="Divides the logits that are compared.")]
FreezeLower = Annotated[
    bool, typer.Option(help="Train the layers above the cut alone: an index made before stays valid.")
]
QuestionsPerWindow = Annotated[
    int, typer.Option(help="Questions on one window in a batch, at most: they share its lower layers.", min=1)
]
Fp16Weights = Annotated[bool, typer.Option(help="Write the weights in fp16, half the bytes.")]
TeacherOutputs = Annotated[
    Path | None,
    typer.Option(help="Folder to keep the teacher's outputs in: it runs in the first epoch alone. Takes gigabytes."),
]
Checkpoints = Annotated[Path | None, typer.Option(help="Folder for them. Default: OUTPUT/checkpoints.")]
SaveSteps = Annotated[int, typer.Option(help="Steps from one checkpoint to the next.", min=1)]
Resume = Annotated[bool, typer.Option(help="Go on from the last checkpoint where there is one.")]


@app.command()
def train(
    model: Model,
    train: Train,
    lower_layers: Cut,
    output: Output,
    teacher: Annotated[
        Path | None, typer.Option(help="Folder of a model trained with --lower-layers 0: distil from it.")
    ] = None,
    unlabelled: Unlabelled = None,
    ce_weight: CeWeight = TrainingConfig.ce_weight,
    kd_weight: KdWeight = TrainingConfig.kd_weight,
    lrs_weight: LrsWeight = TrainingConfig.lrs_weight,
    temperature: Temperature = TrainingConfig.temperature,
    freeze_lower: FreezeLower = TrainingConfig.freeze_lower,
    learning_rate: float = TrainingConfig.learning_rate,
    num_train_epochs: float = TrainingConfig.num_train_epochs,
    max_steps: MaxSteps = TrainingConfig.max_steps,
    batch_size: int = TrainingConfig.batch_size,
    questions_per_window: QuestionsPerWindow = TrainingConfig.questions_per_window,
    warmup_ratio: float = TrainingConfig.warmup_ratio,
    weight_decay: float = TrainingConfig.weight_decay,
    attention_dropout: AttentionDropout = TrainingConfig.attention_dropout,
    seed: int = TrainingConfig.seed,
    max_seq_len: MaxSeqLen = TrainingConfig.max_seq_len,
    doc_stride: DocStride = TrainingConfig.doc_stride,
    max_question_length: MaxQuestionLength = TrainingConfig.max_question_length,
    held_out: HeldOut = TrainingConfig.held_out,
    bf16: Bf16 = TrainingConfig.bf16,
    fp16_weights: Fp16Weights = False,
    teacher_outputs: TeacherOutputs = None,
    checkpoints: Checkpoints = None,
    save_steps: SaveSteps = 500,
    resume: Resume = True,
) -> None:
    """
    Fine-tune a model at a cut, with a teacher or without. The defaults are the paper's.

    Started again, it goes on where it was stopped.
    """
    values = locals()
    with clear_errors():
        import torch

        from haystack_deformer.training.run import train as run

        dtype = torch.float16 if fp16_weights else None
        run(
            _config(values),
            output,
            checkpoints=checkpoints,
            save_steps=save_steps,
            resume=resume,
            teacher_outputs=teacher_outputs,
            dtype=dtype,
        )
        typer.echo(f"The model is in {output}.")


@app.command()
def distil(
    model: Model,
    train: Train,
    lower_layers: Cut,
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
    unlabelled: Unlabelled = None,
    ce_weight: CeWeight = TrainingConfig.ce_weight,
    kd_weight: KdWeight = TrainingConfig.kd_weight,
    lrs_weight: LrsWeight = TrainingConfig.lrs_weight,
    temperature: Temperature = TrainingConfig.temperature,
    freeze_lower: FreezeLower = TrainingConfig.freeze_lower,
    learning_rate: float = TrainingConfig.learning_rate,
    num_train_epochs: float = TrainingConfig.num_train_epochs,
    max_steps: MaxSteps = TrainingConfig.max_steps,
    batch_size: int = TrainingConfig.batch_size,
    questions_per_window: QuestionsPerWindow = TrainingConfig.questions_per_window,
    warmup_ratio: float = TrainingConfig.warmup_ratio,
    weight_decay: float = TrainingConfig.weight_decay,
    attention_dropout: AttentionDropout = TrainingConfig.attention_dropout,
    seed: int = TrainingConfig.seed,
    max_seq_len: MaxSeqLen = TrainingConfig.max_seq_len,
    doc_stride: DocStride = TrainingConfig.doc_stride,
    max_question_length: MaxQuestionLength = TrainingConfig.max_question_length,
    held_out: HeldOut = 0.05,
    bf16: Bf16 = TrainingConfig.bf16,
    fp16_weights: Fp16Weights = False,
    teacher_outputs: TeacherOutputs = None,
    save_steps: SaveSteps = 500,
) -> None:
    """
    The whole recipe: a teacher with full attention, a student at the cut that learns from it, a card with figures.

    Started again, it goes on where it was stopped.
    """
    values = locals() | {"teacher": None}
    with clear_errors():
        import torch

        from haystack_deformer.training.recipe import distil as run

        card = run(
            _config(values),
            output,
            teacher=teacher,
            teacher_epochs=teacher_epochs,
            eval_data=eval_data or (),
            save_steps=save_steps,
            teacher_outputs=teacher_outputs,
            dtype=torch.float16 if fp16_weights else None,
        )
        typer.echo(f"The model is in {output}, its figures in {card}.")


@app.command()
def evaluate(
    model: Model,
    data: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    lower_layers: LowerLayers = None,
    codec: Codec = "SQfp16",
    backend: Backend = "torch",
    dtype: Dtype = "float32",
    batch_size: int = 50,
    held_out: Annotated[
        float | None, typer.Option(help="Ask only about this share of the passages, as `train` holds out.")
    ] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write the answers here, as JSON by id.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Answers of another model, as --predictions writes them, to compare with.")
    ] = None,
) -> None:
    """Exact match and F1 from stored states, by the official script's arithmetic."""
    with clear_errors():
        from haystack_deformer.passages import load_encoder
        from haystack_deformer.training.evaluation import compare, score
        from haystack_deformer.training.evaluation import evaluate as run
        from haystack_deformer.training.squad import load_squad, split_held_out

        encoder = load_encoder(model, lower_layers=lower_layers)
        examples, report = load_squad(data, keep_misplaced=True)
        typer.echo(f"{report}.", err=True)
        if held_out is not None:
            examples = split_held_out(examples, held_out)[1]
        # read before the evaluation, which may take long
        other = None if baseline is None else score(examples, json.loads(baseline.read_text(encoding="utf-8")))
        runtime = encoder.runtime(backend, dtype)
        result = run(encoder, examples, codec=codec, runtime=runtime, batch_size=batch_size)
        if predictions is not None:
            predictions.write_text(json.dumps(result.predictions, indent=2, ensure_ascii=False), encoding="utf-8")
        summary: dict[str, Any] = {name: round(value, 2) for name, value in result.metrics.items()}
        if other is not None:
            summary["against_baseline"] = {name: str(value) for name, value in compare(result, other).items()}
        settings = {"lower_layers": encoder.model.lower_layers, "codec": codec, "backend": backend, "dtype": dtype}
        typer.echo(json.dumps({**settings, **summary}))


def _config(values: dict[str, Any]) -> TrainingConfig:
    """Of a command's arguments, those that settings have the names of; paths as text, which JSON keeps."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(str, value))
        return str(value) if isinstance(value, Path) else value

    given = {field.name: plain(values[field.name]) for field in fields(TrainingConfig) if field.name in values}
    return TrainingConfig(**{**given, "unlabelled": given["unlabelled"] or ()})
