"""As a pipeline calls a reader: with what reading did under `_debug`."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, TypeAlias, Union

from haystack.nodes.reader.base import BaseReader
from haystack.schema import Document, MultiLabel

from haystack_deformer.inference import Reading, collect_readings
from haystack_deformer.nodes.requests import check_documents, check_lists

DocumentLists = Union[List[Document], List[List[Document]]]

if TYPE_CHECKING:
    _Reader: TypeAlias = BaseReader
else:
    # Haystack would take a class of its own for a node that YAML files can name
    _Reader = object


class TellsOfReading(_Reader):
    """Put ahead of a reader that reads with `PassageReader`: its `run` and `run_batch`."""

    def run(
        self,
        query: str,
        documents: List[Document],
        top_k: Optional[int] = None,
        labels: Optional[MultiLabel] = None,
        add_isolated_node_eval: bool = False,
    ) -> Tuple[Dict[str, Any], str]:
        """
        As a pipeline calls it: `predict`, with the documents' meta in the answers.

        With `debug=True` the pipeline's result says under `_debug` how many passages were found and computed, and the
        milliseconds of each part.

        :param query: the question.
        :param documents: where to look for answers.
        :param top_k: answers at most; None: the reader's own.
        :param labels: for evaluation.
        :param add_isolated_node_eval: whether to read the labels' documents as well.
        """
        # before the parent, which looks into them at once
        check_documents(documents)
        with collect_readings() as readings:
            results, stream = super().run(query, documents, top_k, labels, add_isolated_node_eval)
        return self._with_debug(results, readings), stream

    def run_batch(
        self,
        queries: List[str],
        documents: DocumentLists,
        top_k: Optional[int] = None,
        batch_size: Optional[int] = None,
        labels: Optional[List[MultiLabel]] = None,
        add_isolated_node_eval: bool = False,
    ) -> Tuple[Dict[str, Any], str]:
        """
        As a pipeline calls it: `predict_batch`, with the documents' meta in the answers.

        :param queries: the questions.
        :param documents: one list for all, or one list for each.
        :param top_k: answers at most in each list; None: the reader's own.
        :param batch_size: windows that run through the upper layers at once, at most; None: the reader's own.
        :param labels: for evaluation.
        :param add_isolated_node_eval: whether to read the labels' documents as well.
        """
        check_lists(documents)
        if len(queries) == 1 and documents and isinstance(documents[0], Document):
            # the same answer lists, in the form in which BaseReader.run_batch does not fall over one query
            documents = [[document] for document in documents]
        with collect_readings() as readings:
            results, stream = super().run_batch(queries, documents, top_k, batch_size, labels, add_isolated_node_eval)
        return self._with_debug(results, readings), stream

    def _with_debug(self, results: Dict[str, Any], readings: List[Reading]) -> Dict[str, Any]:
        # what was asked is read first, the labels' own documents of an evaluation after it
        if readings and getattr(self, "debug", None):
            results["_debug"] = readings[0].summary()
        return results
