"""`index` and `ask`: a folder of texts, without a pipeline to write."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import Codec, LowerLayers, Model, app, clear_errors

Index = Annotated[Path, typer.Option(help="Folder of the index.")]
EmbeddingModel = Annotated[
    str | None, typer.Option(help="sentence-transformers model for retrieval. Default: all-MiniLM-L6-v2.")
]


@app.command()
def index(
    documents: Annotated[Path, typer.Argument(help="Folder of text and Markdown files.")],
    model: Model,
    index: Index = Path("deformer_index"),
    lower_layers: LowerLayers = None,
    codec: Codec = "SQfp16",
    embedding_model: EmbeddingModel = None,
) -> None:
    """Index a folder of texts. Run it again to take in what has changed."""
    with clear_errors():
        from haystack_deformer.corpus import CorpusIndex, IndexSettings, read_folder, text_documents

        texts = read_folder(documents)
        settings = IndexSettings(model=model, lower_layers=lower_layers, codec=codec, embedding_model=embedding_model)
        report = CorpusIndex(index, settings).sync(text_documents(texts))
        typer.echo(
            f"{len(texts)} files: {report}. Ask with: haystack-deformer ask --index {shlex.quote(str(index))} QUESTION"
        )


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    index: Index = Path("deformer_index"),
    top_k: Annotated[int, typer.Option(help="Number of answers at most.", min=1)] = 3,
    top_k_retriever: Annotated[int, typer.Option(help="Passages to read.", min=1)] = 10,
) -> None:
    """Ask a question of an index made by `haystack-deformer index`."""
    with clear_errors():
        from haystack_deformer.corpus import CorpusIndex, IndexSettings, format_response

        corpus = CorpusIndex(index, IndexSettings.load(index))
        typer.echo(format_response(corpus.ask(question, top_k=top_k, top_k_retriever=top_k_retriever)))
