"""Conditions on the tables of Haystack's SQL stores, such that databases find the rows without going through all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from haystack.document_stores.filter_utils import LogicalFilterClause
from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import FilterType
from sqlalchemy import select
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
    index has of the same id; and they compare numbers as text.

    :param query: over `DocumentORM`.
    :param index: where.
    :param filters: which; None: all.
    """
    query = query.filter(unindexed(DocumentORM.index) == index)
    if filters:
        of_the_index = select(MetaDocumentORM).where(unindexed(MetaDocumentORM.document_index) == index).subquery()
        meta = OrderedMeta(aliased(MetaDocumentORM, of_the_index), query.session.get_bind().dialect.name)
        wanted = LogicalFilterClause.parse(filters).convert_to_sql(meta)
        query = query.filter(DocumentORM.id.in_(wanted))
    return query
