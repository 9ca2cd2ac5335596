"""Conditions on the tables of Haystack's SQL stores, such that databases find the rows without going through all."""

from __future__ import annotations

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
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import aliased

from haystack_deformer.document_stores.meta_order import OrderedMeta


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
    """
    query = query.filter(unindexed(DocumentORM.index) == index)
    if filters:
        of_the_index = select(MetaDocumentORM).where(unindexed(MetaDocumentORM.document_index) == index).subquery()
        meta = OrderedMeta(aliased(MetaDocumentORM, of_the_index), query.session.get_bind().dialect.name)
        query = query.filter(_fits(LogicalFilterClause.parse(filters), meta))
    return query


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
