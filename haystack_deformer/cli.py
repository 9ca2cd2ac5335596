"""The command `haystack-deformer`: train a model at a cut, measure it, index a folder of texts, ask it, serve it."""

# torch and Haystack take seconds to import: each command imports what it needs, so that --help is at once
# ruff: noqa: PLC0415

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.rest_api.settings import ServerSettings
from haystack_deformer.training.config import TrainingConfig

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

Model = Annotated[str, typer.Option(help="Name or folder of a BERT question-answering checkpoint or an encoder.")]
LowerLayers = Annotated[
    int | None, typer.Option(help="The cut k, 0 to layers - 1. Default: what the model records.", min=0)
]
Codec = Annotated[str, typer.Option(help="faiss codec of the states: SQfp16, SQ8, SQ4, Flat, OPQ..,PQ..")]
Index = Annotated[Path, typer.Option(help="Folder of the index.")]
EmbeddingModel = Annotated[
    str | None, typer.Option(help="sentence-transformers model for retrieval. Default: all-MiniLM-L6-v2.")
]


@app.callback()
def _main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, not warnings alone.")] = False,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("haystack_deformer").setLevel(logging.INFO if verbose else logging.WARNING)


@app.command()
def train(
    model: Model,
    train: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    lower_layers: Annotated[int, typer.Option(help="The cut k, 0 to layers - 1.", min=0)],
    output: Annotated[Path, typer.Option(help="Folder for the trained model.")],
    learning_rate: float = TrainingConfig.learning_rate,
    num_train_epochs: float = TrainingConfig.num_train_epochs,
    max_steps: Annotated[
        int, typer.Option(help="Stop after so many steps in place of whole epochs.")
    ] = TrainingConfig.max_steps,
    batch_size: int = TrainingConfig.batch_size,
    warmup_ratio: float = TrainingConfig.warmup_ratio,
    weight_decay: float = TrainingConfig.weight_decay,
    seed: int = TrainingConfig.seed,
    max_seq_len: Annotated[
        int, typer.Option(help="Tokens of a question and a window together.")
    ] = TrainingConfig.max_seq_len,
    doc_stride: Annotated[
        int, typer.Option(help="Tokens between the starts of two windows.")
    ] = TrainingConfig.doc_stride,
    max_question_length: Annotated[
        int, typer.Option(help="Tokens of a question; longer ones are cut.")
    ] = TrainingConfig.max_question_length,
    held_out: Annotated[
        float, typer.Option(help="Share of the passages that no step sees.", min=0, max=0.9)
    ] = TrainingConfig.held_out,
    attention_dropout: Annotated[
        float | None, typer.Option(help="In place of the model's own; 0 makes a step on a CPU a third faster.", min=0)
    ] = TrainingConfig.attention_dropout,
    bf16: Annotated[bool, typer.Option(help="Matrix products in bfloat16.")] = TrainingConfig.bf16,
    fp16_weights: Annotated[bool, typer.Option(help="Write the weights in fp16, half the bytes.")] = False,
    checkpoints: Annotated[Path | None, typer.Option(help="Folder for them. Default: OUTPUT/checkpoints.")] = None,
    save_steps: Annotated[int, typer.Option(help="Steps from one checkpoint to the next.")] = 500,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint where there is one.")] = True,
) -> None:
    """Fine-tune a model at a cut. The defaults are the paper's. Started again, it goes on where it was stopped."""
    with _clear_errors():
        import torch

        from haystack_deformer.training.trainer import train as run

        config = TrainingConfig(
            model=model,
            train=tuple(str(path) for path in train),
            lower_layers=lower_layers,
            learning_rate=learning_rate,
            num_train_epochs=num_train_epochs,
            max_steps=max_steps,
            batch_size=batch_size,
            warmup_ratio=warmup_ratio,
            weight_decay=weight_decay,
            seed=seed,
            max_seq_len=max_seq_len,
            doc_stride=doc_stride,
            max_question_length=max_question_length,
            held_out=held_out,
            attention_dropout=attention_dropout,
            bf16=bf16,
        )
        run(
            config,
            output,
            checkpoints=checkpoints,
            save_steps=save_steps,
            resume=resume,
            dtype=torch.float16 if fp16_weights else None,
        )
        typer.echo(f"The model is in {output}.")


@app.command()
def evaluate(
    model: Model,
    data: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    lower_layers: LowerLayers = None,
    codec: Codec = "SQfp16",
    batch_size: int = 50,
    held_out: Annotated[
        float | None, typer.Option(help="Ask only about this share of the passages, as `train` holds out.")
    ] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write the answers here, as JSON by id.")] = None,
) -> None:
    """Exact match and F1 from stored states, by the official script's arithmetic."""
    with _clear_errors():
        import json

        from haystack_deformer.passages import load_encoder
        from haystack_deformer.training.evaluation import evaluate as run
        from haystack_deformer.training.squad import load_squad, split_held_out

        encoder = load_encoder(model, lower_layers=lower_layers)
        examples, report = load_squad(data, keep_misplaced=True)
        if held_out is not None:
            examples = split_held_out(examples, held_out)[1]
        typer.echo(f"{report}.", err=True)
        result = run(encoder, examples, codec=codec, batch_size=batch_size)
        if predictions is not None:
            predictions.write_text(json.dumps(result.predictions, indent=2, ensure_ascii=False), encoding="utf-8")
        summary = {name: round(value, 2) for name, value in result.metrics.items()}
        typer.echo(json.dumps({"lower_layers": encoder.model.lower_layers, "codec": codec, **summary}))


@app.command()
def index(
    documents: Annotated[Path, typer.Argument(help="Folder of text and Markdown files.")],
    model: Model,
    index: Index = Path("deformer_index"),
    lower_layers: LowerLayers = None,
    codec: Codec = "SQfp16",
    embedding_model: EmbeddingModel = None,
) -> None:
    """Read a folder of texts before the questions come. Run again, it takes in what has changed."""
    with _clear_errors():
        from haystack_deformer.corpus import CorpusIndex, IndexSettings, read_folder, text_documents

        texts = read_folder(documents)
        settings = IndexSettings(model=model, lower_layers=lower_layers, codec=codec, embedding_model=embedding_model)
        report = CorpusIndex(index, settings).sync(text_documents(texts))
        typer.echo(f"{len(texts)} files: {report}. Ask with: haystack-deformer ask --index {index} QUESTION")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    index: Index = Path("deformer_index"),
    top_k: Annotated[int, typer.Option(help="Answers at most.")] = 3,
    top_k_retriever: Annotated[int, typer.Option(help="Passages to read.")] = 10,
) -> None:
    """Ask an index that `haystack-deformer index` made."""
    with _clear_errors():
        from haystack_deformer.corpus import CorpusIndex, IndexSettings, format_response

        corpus = CorpusIndex(index, IndexSettings.load(index))
        typer.echo(format_response(corpus.ask(question, top_k=top_k, top_k_retriever=top_k_retriever)))


@app.command()
def serve(
    pipeline: Annotated[
        Path,
        typer.Option(help="YAML file with the pipelines.", envvar="PIPELINE_YAML_PATH", exists=True, dir_okay=False),
    ],
    query_pipeline: Annotated[
        str, typer.Option("--query-pipeline", help="Name of the one that answers.", envvar="QUERY_PIPELINE_NAME")
    ] = ServerSettings.query_pipeline,
    indexing_pipeline: Annotated[
        str, typer.Option(help="Name of the one that takes in files.", envvar="INDEXING_PIPELINE_NAME")
    ] = ServerSettings.indexing_pipeline,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    concurrency_limit: Annotated[
        int,
        typer.Option(
            help="Questions at once, and as many uploads; more get 503.", envvar="CONCURRENT_REQUEST_PER_WORKER", min=1
        ),
    ] = ServerSettings.concurrency_limit,
    file_upload_path: Annotated[
        Path | None, typer.Option(help="Folder for uploads. Default: a temporary one.", envvar="FILE_UPLOAD_PATH")
    ] = None,
    max_upload_megabytes: Annotated[
        int, typer.Option(help="Of one upload.", min=1)
    ] = ServerSettings.max_upload_megabytes,
    root_path: Annotated[
        str, typer.Option(help="Where a proxy serves it, /qa for example.", envvar="ROOT_PATH")
    ] = ServerSettings.root_path,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Web page that may call the API, https://example.org. Repeat for several.")
    ] = None,
) -> None:
    """Answer over HTTP as Haystack's REST API does, with a page to ask on. One process; docs/deployment.md on more."""
    with _clear_errors():
        from haystack_deformer.rest_api import create_app, require_extra

        require_extra()
        import uvicorn

        from haystack_deformer.rest_api.observing import log_to_stderr

        settings = ServerSettings(
            pipeline=pipeline,
            query_pipeline=query_pipeline,
            indexing_pipeline=indexing_pipeline,
            file_upload_path=file_upload_path,
            concurrency_limit=concurrency_limit,
            max_upload_megabytes=max_upload_megabytes,
            root_path=root_path.rstrip("/"),
            cors_origins=tuple(cors_origin or ()),
        )
        log_to_stderr()
        # uvicorn's own line for each request would say the same a second time
        uvicorn.run(create_app(settings), host=host, port=port, access_log=False, log_level="info")


class _clear_errors:  # noqa: N801  # reads as a statement
    """What a user can mend is said in a line; what only we can mend keeps its traceback."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        kinds: list[type[BaseException]] = [ValueError, OSError]
        # an error of a package that was not imported cannot be this one, and importing Haystack to ask takes seconds
        for module, name in (
            ("haystack.errors", "HaystackError"),
            ("haystack_deformer.representations", "RepresentationStoreError"),
        ):
            if module in sys.modules:
                kinds.append(getattr(sys.modules[module], name))
        if isinstance(error, tuple(kinds)):
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(code=2) from error


if __name__ == "__main__":
    app()
