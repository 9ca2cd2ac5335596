"""Labels of Haystack's SQL and FAISS stores: those of the index that is meant, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haystack.document_stores.sql import LabelORM
from haystack.schema import FilterType, Label

from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.parents import FAISSStore


class NarrowLabels(FAISSStore):
    """
    Put ahead of FAISSDocumentStore, which deletes labels by id from all indexes, and reads all whatever is asked for.

    Their meta it does not keep, and neither does this.
    """

    def get_all_labels(
        self, index: str | None = None, filters: FilterType | None = None, headers: dict[str, str] | None = None
    ) -> list[Label]:
        """
        Labels of one index.

        :param index: where; None: the default index for labels.
        :param filters: which, values or lists of values by the names of a label's columns; None: all.
        :param headers: for the parent, which says that it takes none.
        :raises ValueError: for a filter by something else.
        """
        if headers or not filters:
            return super().get_all_labels(index=index, headers=headers)
        return [self._convert_sql_row_to_label(row) for row in self._labels(index, filters)]

    def delete_labels(
        self,
        index: str | None = None,
        ids: list[str] | None = None,
        filters: FilterType | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Delete labels of one index.

        :param index: where; None: the default index for labels.
        :param ids: which; None: not narrowed by id.
        :param filters: which, values or lists of values by the names of a label's columns; None: not narrowed.
        :param headers: for the parent, which says that it takes none.
        :raises ValueError: for a filter by something else.
        """
        if headers or (ids is None and not filters):
            super().delete_labels(index=index, headers=headers)
            return
        query = self._labels(index, filters)
        parts = [query] if ids is None else [query.filter(LabelORM.id.in_(some)) for some in batches(ids, IDS_AT_ONCE)]
        for part in parts:
            part.delete(synchronize_session=False)
        self.session.commit()

    def _labels(self, index: str | None, filters: FilterType | None) -> Any:
        query = self.session.query(LabelORM).filter(LabelORM.index == (index or self.label_index))
        columns = LabelORM.__table__.columns.keys()
        for name, given in (filters or {}).items():
            if name not in columns or isinstance(given, Mapping):
                msg = f"Labels are found by values or lists of values of {', '.join(columns)}, not by {name}={given!r}."
                raise ValueError(msg)
            query = query.filter(getattr(LabelORM, name).in_(given if isinstance(given, (list, tuple)) else [given]))
        return query

    def _get_duplicate_labels(
        self,
        labels: list[Label],
        index: str | None = None,
        headers: dict[str, str] | None = None,  # noqa: ARG002
    ) -> list[Label]:
        """As the parent does, which reads all labels that there are."""
        index = index or self.label_index
        seen: set[str] = set()
        duplicates: set[str] = set()
        for label in labels:
            (duplicates if label.id in seen else seen).add(label.id)
        for ids in batches(seen, IDS_AT_ONCE):
            stored = self.session.query(LabelORM.id).filter(LabelORM.index == index, LabelORM.id.in_(ids))
            duplicates.update(identifier for (identifier,) in stored)
        return [label for label in labels if label.id in duplicates]
