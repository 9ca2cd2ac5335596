"""How many of the questions on the Python reference are answered by the first answer, and by one of the first five."""

from __future__ import annotations

from corpus import documents, open_index, questions
from transformers.data.metrics.squad_metrics import compute_exact, compute_f1


def main() -> None:
    """Ask all questions and print the figures."""
    corpus = open_index()
    print(corpus.sync(documents()))
    asked = questions()
    first = fifth = retrieved = 0
    f1 = 0.0
    for entry in asked:
        response = corpus.ask(entry["question"], top_k=5)
        answers = [answer.answer for answer in response.answers]
        exact = [max(compute_exact(gold, answer) for gold in entry["answers"]) for answer in answers]
        first += bool(exact and exact[0])
        fifth += any(exact)
        f1 += max((compute_f1(gold, answers[0]) for gold in entry["answers"]), default=0) if answers else 0
        passages = [" ".join(document.content.split()) for document in response.documents.values()]
        retrieved += any(gold in passage for gold in entry["answers"] for passage in passages)
    total = len(asked)
    print(f"{total} questions, 10 passages read for each")
    print(f"answer in a retrieved passage  {retrieved / total:6.1%}")
    print(f"answer in top 1 (exact match)  {first / total:6.1%}   F1 of the first answer {f1 / total:6.1%}")
    print(f"answer in top 5 (exact match)  {fifth / total:6.1%}")


if __name__ == "__main__":
    main()
