"""Conditions on the tables of Haystack's SQL stores, such that databases find the rows without going through all."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from haystack.document_stores.filter_utils import (
    AndOperation,
    InOperation,
    LogicalFilterClause,
    NinOperation,
    NotOperation,
    OrOperation,
)
from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import FilterType
from sqlalchemy import and_, or_, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from haystack_deformer.document_stores.repairs.filters import comparisons
from haystack_deformer.document_stores.repairs.meta_order import OrderedMeta

logger = logging.getLogger(__name__)

_CONDITIONS = 900
_VALUES = 15_000
"""Of filters at most: a whole number is spelled twice."""


def find_meta_by_document(engine: Any) -> None:
    """
    Give SQLite an index for what Haystack's own queries ask of the table of meta: that of one document in one index.

    Haystack makes one of each column alone, and SQLite does not know which of them leads to few rows: see `unindexed`.
    The planners of other databases know. A database that may not be written to is asked as it is.

    :param engine: of the store, whose tables are there.
    """
    if engine.dialect.name != "sqlite":
        return
    statement = "CREATE INDEX IF NOT EXISTS ix_meta_document_of_document ON meta_document (document_id, document_index)"
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except OperationalError as error:
        logger.info("Meta may be found slowly, the database takes no index for it: %s", error.orig)


def unindexed(column: Any) -> Any:
    """
    A column of text, compared without the database's index of it.

    SQLite does not know how many rows have a value, and takes any index that fits: to find the meta of one document it
    was seen to go through that of all, again for every document, in as many databases as their indexes happened to be
    made in that order. Here it is left those that lead to few rows.

    :param column: whose values most rows have in common: the name of the index, or of a field of the meta.
    """
    return column.concat("")


def with_ids(query: Any, index: str, ids: Collection[str]) -> Any:
    """
    Narrow a query of documents to some of one index.

    :param query: over `DocumentORM` or its columns.
    :param index: where.
    :param ids: which; not more than a query may name.
    """
    return query.filter(unindexed(DocumentORM.index) == index, DocumentORM.id.in_(ids))


def filled_indexes(session: Any) -> list[str]:
    """
    The indexes that hold documents.

    :param session: of the store.
    """
    return [name for (name,) in session.query(DocumentORM.index).distinct()]


def matching(query: Any, index: str, filters: FilterType | None) -> Any:
    """
    Narrow a query of documents.

    Haystack's filters look for meta by the id of a document, and find a document of one index by the meta that another
    index has of the same id; they compare numbers as text; and what has no meta fits neither `$not` nor `$nin`.

    :param query: over `DocumentORM`.
    :param index: where.
    :param filters: which; None: all.
    :raises ValueError: where they are more than a query can hold.
    """
    query = query.filter(unindexed(DocumentORM.index) == index)
    if filters:
        _check_size(filters)
        of_the_index = select(MetaDocumentORM).where(unindexed(MetaDocumentORM.document_index) == index).subquery()
        meta = OrderedMeta(aliased(MetaDocumentORM, of_the_index), query.session.get_bind().dialect.name)
        query = query.filter(_fits(LogicalFilterClause.parse(filters), meta))
    return query


def ids_of(session: Any, index: str, filters: FilterType | None = None) -> list[str]:
    """
    The ids of documents, in order, without anything else of them.

    :param session: of the store.
    :param index: where.
    :param filters: which; None: all.
    """
    query = matching(session.query(DocumentORM.id), index, filters).order_by(DocumentORM.id)
    return [identifier for (identifier,) in query]


def _check_size(filters: FilterType) -> None:
    """Before the database says so: SQLite's expressions are at most 1,000 deep, with at most 32,766 values."""
    compared = [comparison.value for comparison in comparisons(filters)]
    values = sum(len(value) if isinstance(value, (list, tuple, set)) else 1 for value in compared)
    if len(compared) > _CONDITIONS or values > _VALUES:
        msg = (
            f"The filters hold {len(compared):,} conditions with {values:,} values, and a query can hold "
            f"{_CONDITIONS:,} with {_VALUES:,}: give a list of values in place of a condition for each, or several "
            "filters one after the other."
        )
        raise ValueError(msg)


def _fits(condition: Any, meta: OrderedMeta) -> Any:
    """
    What filters say, of documents: Haystack looks through the meta, where one without any is not to be found.

    As `evaluate` of the same classes: a field that is not there is none of the values of `$nin`.
    """
    if isinstance(condition, NotOperation):
        return ~or_(*(_fits(part, meta) for part in condition.conditions))
    if isinstance(condition, AndOperation):
        return and_(*(_fits(part, meta) for part in condition.conditions))
    if isinstance(condition, OrOperation):
        return or_(*(_fits(part, meta) for part in condition.conditions))
    if isinstance(condition, NinOperation):
        return ~_fits(InOperation(condition.field_name, condition.comparison_value), meta)
    return DocumentORM.id.in_(condition.convert_to_sql(meta))
