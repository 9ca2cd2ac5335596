"""
Index a corpus once, answer from it at once.

    make quickstart
    make quickstart QUESTION="Which clause runs when a loop ends without break?"
    make quickstart DOCS=~/notes QUESTION="..."
"""

from __future__ import annotations

import os
import sys

from corpus import documents, open_index

from haystack_deformer.corpus import format_response

# of the file of questions, some that ask for different kinds of answers
DEFAULT_QUESTIONS = [
    "Which method makes the instances of a class callable like functions?",
    "What exception is raised when I delete a name that is unbound?",
    "Which PEP proposed class decorators?",
    "What is the name of the model of error handling that Python uses?",
    "How often is the target evaluated in an augmented assignment such as x += 1?",
]
BOLD = ("\033[1m", "\033[0m")


def main() -> None:
    """Index and ask."""
    folder = os.environ.get("DOCS") or None
    question = os.environ.get("QUESTION") or None
    corpus = open_index(folder)
    report = corpus.sync(documents(folder))
    print(f"\n{report}.")
    store = corpus.document_store.describe_representations()
    print(f"Stored states: {store['count']} texts, {store['bytes'] / 2**20:.1f} MiB, codec {store['codec']}.\n")
    for text in [question] if question else DEFAULT_QUESTIONS if not folder else []:
        print(f"Q: {text}")
        print(format_response(corpus.ask(text, top_k=1), BOLD if sys.stdout.isatty() else ("**", "**")), end="\n\n")


if __name__ == "__main__":
    main()
