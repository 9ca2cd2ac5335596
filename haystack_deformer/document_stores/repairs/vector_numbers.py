"""The numbers in SQL by which documents have their vectors in FAISS."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from haystack.document_stores.sql import DocumentORM
from haystack.schema import FilterType
from sqlalchemy import bindparam

from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.repairs.tables import matching, with_ids

_ROWS_AT_ONCE = 1_000


def vector_numbers(session: Any, index: str, ids: Collection[str]) -> dict[str, int]:
    """
    The numbers of documents' vectors by id, of those that have one.

    :param session: of the store.
    :param index: where.
    :param ids: which.
    """
    found: dict[str, int] = {}
    for batch in batches(ids, IDS_AT_ONCE):
        rows = with_ids(session.query(DocumentORM.id, DocumentORM.vector_id), index, batch)
        found.update((identifier, int(number)) for identifier, number in rows if _is_number(number))
    return found


def numbers_left(session: Any, index: str, filters: FilterType) -> list[int]:
    """
    The numbers of the vectors of the documents that filters leave.

    :param session: of the store.
    :param index: where.
    :param filters: which, in any form that `get_all_documents` takes.
    """
    rows = matching(session.query(DocumentORM.vector_id), index, filters).filter(DocumentORM.vector_id.isnot(None))
    return [int(number) for (number,) in rows if _is_number(number)]


def _is_number(number: str | None) -> bool:
    """Whether a document has a vector; a plain store takes whatever stands in a document's meta for its number."""
    return number is not None and number.isdecimal()


def digest_of_numbers(session: Any, index: str) -> str:
    """
    A digest of which text under which id has which vector; another where documents were exchanged for others.

    :param session: of the store.
    :param index: where.
    :return: 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    columns = (DocumentORM.id, DocumentORM.vector_id, DocumentORM.content)
    rows = session.query(*columns).filter(DocumentORM.index == index, DocumentORM.vector_id.isnot(None))
    for row in rows.order_by(DocumentORM.id).yield_per(_ROWS_AT_ONCE):
        digest.update(repr(tuple(row)).encode(errors="surrogatepass"))
    return digest.hexdigest()


def contents_of(session: Any, index: str, ids: Collection[str]) -> dict[str, Any]:
    """
    What documents say, by id.

    :param session: of the store.
    :param index: where.
    :param ids: which.
    """
    found: dict[str, Any] = {}
    for batch in batches(ids, IDS_AT_ONCE):
        found.update(iter(with_ids(session.query(DocumentORM.id, DocumentORM.content), index, batch)))
    return found


def forget_replaced(session: Any, index: str, before: dict[str, int], contents: dict[str, Any]) -> set[int]:
    """
    Take the numbers from documents that were overwritten with another text; it is not committed.

    :param session: of the store.
    :param index: where.
    :param before: the numbers that overwritten documents had.
    :param contents: what those of them said whose numbers the write could leave as they were.
    :return: the numbers of `before` that no document has any more.
    """
    now = vector_numbers(session, index, before)
    same = [identifier for identifier in contents if now.get(identifier) == before[identifier]]
    stale = [identifier for identifier, new in contents_of(session, index, same).items() if new != contents[identifier]]
    # without a number they are embedded by the next update_embeddings(update_existing_embeddings=False)
    for batch in batches(stale, IDS_AT_ONCE):
        with_ids(session.query(DocumentORM), index, batch).update(
            {DocumentORM.vector_id: None}, synchronize_session=False
        )
    return set(before.values()) - {now[identifier] for identifier in now.keys() - set(stale)}


def renumber(session: Any, index: str, moves: dict[int, int]) -> None:
    """
    Give documents the new numbers of their vectors; it is not committed.

    :param session: of the store.
    :param index: where.
    :param moves: new numbers by old ones.
    """
    if not moves:
        return
    table = DocumentORM.__table__
    statement = (
        table.update()
        .where(table.c.index == index, table.c.vector_id == bindparam("old"))
        .values(vector_id=bindparam("new"))
    )
    session.execute(statement, [{"old": str(old), "new": str(new)} for old, new in moves.items()])
