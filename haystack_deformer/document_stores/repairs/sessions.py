"""What a session of SQLAlchemy is kept from while Haystack's SQL stores change documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from haystack.document_stores.sql import MetaDocumentORM
from sqlalchemy import event
from sqlalchemy.orm import scoped_session

from haystack_deformer.document_stores.repairs.tables import unindexed
from haystack_deformer.document_stores.thread_value import ThreadValue

_LISTENING = "haystack_deformer.listening"
_changed: ThreadValue[str | None] = ThreadValue(None)


@contextmanager
def undone_on_error(session: Any) -> Iterator[None]:
    """
    Roll back where the block fails: else all that this thread asks of the store later fails as well.

    :param session: of the store; None: it has none.
    """
    try:
        yield
    except BaseException:
        if session is not None:
            session.rollback()
        raise


@contextmanager
def within_index(session: Any, index: str) -> Iterator[None]:
    """
    Let this thread delete meta of one index alone while the block runs.

    The stores remove the meta of a document that they overwrite by its id, and ids are digests of texts: what another
    index has of the same text would lose its meta.

    :param session: of the store.
    :param index: the one that is written to.
    """
    own = session() if isinstance(session, scoped_session) else session
    if _LISTENING not in own.info:
        event.listen(own, "do_orm_execute", _narrow)
        own.info[_LISTENING] = True
    with _changed.during(index):
        yield


def _narrow(state: Any) -> None:
    index = _changed.get()
    if index is not None and state.is_delete and state.bind_mapper is MetaDocumentORM.__mapper__:
        state.statement = state.statement.where(unindexed(MetaDocumentORM.document_index) == index)
