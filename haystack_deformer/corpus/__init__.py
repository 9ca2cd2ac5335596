"""From a folder of text to answers in the shell: what `haystack-deformer index` and `ask` and the quickstart do."""

from haystack_deformer.corpus.display import format_answer, format_response, sentence_around
from haystack_deformer.corpus.index import CorpusIndex
from haystack_deformer.corpus.results import Response, SyncReport
from haystack_deformer.corpus.settings import IndexSettings
from haystack_deformer.corpus.texts import read_folder, split_text, text_documents

__all__ = [
    "CorpusIndex",
    "IndexSettings",
    "Response",
    "SyncReport",
    "format_answer",
    "format_response",
    "read_folder",
    "sentence_around",
    "split_text",
    "text_documents",
]
