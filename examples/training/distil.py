"""
A model of one's own: from a checkpoint and questions in SQuAD format to a student, and from the student to an answer.

    pip install ".[train]"
    python examples/training/distil.py --model bert-base-uncased --train train-v2.0.json --output my-model

Started again it goes on where it was stopped. `haystack-deformer distil` trains the same from the shell.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from haystack import Pipeline
from haystack.nodes import BM25Retriever
from transformers import AutoConfig

from haystack_deformer import DeFormerInMemoryDocumentStore, DeFormerReader
from haystack_deformer.squad import load_squad, split_held_out
from haystack_deformer.training import TrainingConfig, distil

PASSAGES = 50


def arguments() -> argparse.Namespace:
    """What the command line says. The defaults are the paper's for BERT-base."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="name or folder of an encoder or question-answering checkpoint")
    parser.add_argument("--train", required=True, nargs="+", help="files in SQuAD format, plain or gzip")
    parser.add_argument("--output", required=True, type=Path, help="folder for the student")
    parser.add_argument("--lower-layers", type=int, help="the cut (default: three quarters of the layers)")
    parser.add_argument("--held-out", type=float, default=0.05, help="share of the passages to take the figures from")
    parser.add_argument("--epochs", type=float, default=TrainingConfig.num_train_epochs)
    parser.add_argument("--max-steps", type=int, default=TrainingConfig.max_steps, help="in place of whole epochs")
    parser.add_argument("--batch-size", type=int, default=TrainingConfig.batch_size)
    parser.add_argument("--learning-rate", type=float, default=TrainingConfig.learning_rate)
    parser.add_argument("--max-seq-len", type=int, default=TrainingConfig.max_seq_len)
    parser.add_argument("--question", help="to ask the student (default: the first on a held-out passage)")
    return parser.parse_args()


def main(given: argparse.Namespace) -> None:
    """Train teacher and student, then ask the student about passages that neither saw."""
    lower_layers = given.lower_layers
    if lower_layers is None:
        lower_layers = AutoConfig.from_pretrained(given.model).num_hidden_layers * 3 // 4
    config = TrainingConfig(
        model=given.model,
        train=tuple(given.train),
        lower_layers=lower_layers,
        held_out=given.held_out,
        num_train_epochs=given.epochs,
        max_steps=given.max_steps,
        batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        max_seq_len=given.max_seq_len,
    )
    card = distil(config, given.output)
    print(f"The student is in {given.output}, its card in {card}:")
    print("\n".join(line for line in card.read_text(encoding="utf-8").splitlines() if line.startswith("|")))

    held_out = split_held_out(load_squad(config.train)[0], config.held_out)[1]
    passages = list(dict.fromkeys(example.context for example in held_out))[:PASSAGES]
    question = given.question or held_out[0].question
    store = DeFormerInMemoryDocumentStore(deformer_model=str(given.output), use_bm25=True, progress_bar=False)
    store.write_documents([{"content": passage} for passage in passages])
    pipeline = Pipeline()
    pipeline.add_node(BM25Retriever(store, top_k=5), "Retriever", ["Query"])
    pipeline.add_node(DeFormerReader(document_store=store, top_k=1, progress_bar=False), "Reader", ["Retriever"])
    print(f"Q: {question}")
    for answer in pipeline.run(query=question)["answers"]:
        print(f"A: {answer.answer}  (score {answer.score:.2f})\n   in: {answer.context}")


if __name__ == "__main__":
    main(arguments())
