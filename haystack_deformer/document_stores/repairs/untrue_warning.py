"""What FAISSDocumentStore warns of when vectors are added beside others, and a store that keeps them in step is not."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from haystack.document_stores import FAISSDocumentStore

from haystack_deformer.document_stores.thread_value import ThreadValue

_in_step = ThreadValue(usual=False)


def vectors_in_step() -> AbstractContextManager[None]:
    """Let this thread hear no call for `update_embeddings` while the block adds vectors."""
    return _in_step.during(value=True)


def _is_true(record: logging.LogRecord) -> bool:
    return not (_in_step.get() and "is adding new vectors to an existing" in record.getMessage())


# at its logger, since the parent warns in the middle of what it does; other stores and threads are heard as before
logging.getLogger(FAISSDocumentStore.__module__).addFilter(_is_true)
