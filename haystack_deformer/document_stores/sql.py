"""What the hook asks the stores that keep their documents in SQL, FAISS among them: by index, never by a scan."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haystack.document_stores import SQLDocumentStore
from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import Document, FilterType
from sqlalchemy import and_, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import aliased, scoped_session, sessionmaker

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.repairs.sessions import undone_on_error, within_index
from haystack_deformer.document_stores.repairs.tables import (
    filled_indexes,
    find_meta_by_document,
    ids_of,
    matching,
    unindexed,
)
from haystack_deformer.document_stores.stored_document import StoredDocument, text_of
from haystack_deformer.document_stores.unfit import check_sql_meta

_IN_MEMORY = ("", ":memory:")
_BUSY_SECONDS = 120
"""SQLite's own 5 seconds are less than Haystack's store takes to write some thousand documents."""

# by a name of its own, for the filters' subqueries look into the same table
_Reference = aliased(MetaDocumentORM)


class SQLDocumentAccess(DocumentAccess):
    """
    SQLDocumentStore and its children, by their tables.

    The stores' own methods mix up documents that have one id in two indexes: they read and remove meta by the id alone,
    and leave the meta of deleted documents behind. Here the index counts too.
    """

    derived_meta = frozenset({"vector_id"})
    knows_all_indexes = True

    def check_fit(self, document: Document) -> None:
        """Its meta as well: see :meth:`DocumentAccess.check_fit`."""
        super().check_fit(document)
        check_sql_meta(document)

    @contextmanager
    def changing(self, index: str) -> Iterator[None]:
        """The meta of other indexes stays, and nothing of a change that fails: see :meth:`DocumentAccess.changing`."""
        with undone_on_error(self.store.session), within_index(self.store.session, index):
            yield

    def indexes(self) -> list[str]:
        """All indexes that hold documents."""
        return filled_indexes(self.store.session)

    def holds_labels(self, index: str) -> bool:  # noqa: ARG002
        """Labels have a table of their own: see :meth:`DocumentAccess.holds_labels`."""
        return False

    def count(self, index: str, filters: FilterType | None = None) -> int:
        """Number of documents: see :meth:`DocumentAccess.count`."""
        query = self.store.session.query(DocumentORM.id)
        return int((matching(query, index, filters) if filters else query.filter(DocumentORM.index == index)).count())

    def documents(
        self, index: str, filters: FilterType | None = None, batch_size: int = 1_000
    ) -> Iterator[StoredDocument]:
        """Go through an index, each batch by a query of its own: see :meth:`DocumentAccess.documents`."""
        # the empty text is an id like others
        further = DocumentORM.id >= ""
        while True:
            query = matching(self._query(), index, filters).filter(further)
            batch = [_stored(row) for row in query.order_by(DocumentORM.id).limit(batch_size)]
            yield from batch
            if len(batch) < batch_size:
                return
            further = DocumentORM.id > batch[-1].id

    def ids(self, index: str, filters: FilterType | None) -> set[str]:
        """The ids of the documents of an index, without their texts: see :meth:`DocumentAccess.ids`."""
        return set(ids_of(self.store.session, index, filters))

    def by_ids(self, ids: Collection[str], index: str | None = None) -> Iterator[StoredDocument]:
        """The documents with some ids: see :meth:`DocumentAccess.by_ids`."""
        for batch in batches(ids, IDS_AT_ONCE):
            query = self._query().filter(DocumentORM.id.in_(batch))
            yield from [_stored(row) for row in (query if index is None else matching(query, index, None))]

    def referring(self, references: Collection[str]) -> Iterator[StoredDocument]:
        """The documents whose meta carries one of some references: see :meth:`DocumentAccess.referring`."""
        for batch in batches(references, IDS_AT_ONCE):
            # no outer join, which databases begin with the documents
            yield from [_stored(row) for row in self._query(outer=False).filter(_Reference.value.in_(batch))]

    def set_references(self, index: str, references: Mapping[str, str]) -> None:
        """Write references into the meta, in one transaction: see :meth:`DocumentAccess.set_references`."""
        session = self.store.session
        with undone_on_error(session):
            for batch in batches(references.items(), IDS_AT_ONCE):
                session.query(MetaDocumentORM).filter(
                    unindexed(MetaDocumentORM.document_index) == index,
                    unindexed(MetaDocumentORM.name) == REPRESENTATION_META_KEY,
                    MetaDocumentORM.document_id.in_([identifier for identifier, _ in batch]),
                ).delete(synchronize_session=False)
                session.add_all(
                    MetaDocumentORM(
                        name=REPRESENTATION_META_KEY, value=reference, document_id=identifier, document_index=index
                    )
                    for identifier, reference in batch
                )
            session.commit()

    def _query(self, *, outer: bool = True) -> Any:
        columns = (
            DocumentORM.index,
            DocumentORM.id,
            DocumentORM.content,
            DocumentORM.content_type,
            _Reference.value,
        )
        of_the_document = and_(
            _Reference.document_id == DocumentORM.id,
            unindexed(_Reference.document_index) == DocumentORM.index,
            unindexed(_Reference.name) == REPRESENTATION_META_KEY,
        )
        return self.store.session.query(*columns).join(_Reference, of_the_document, isouter=outer)


def _stored(row: Any) -> StoredDocument:
    index, identifier, content, content_type, reference = row
    return StoredDocument(index, identifier, text_of(content, content_type), reference)


def give_threads_their_sessions(store: SQLDocumentStore) -> None:
    """
    Let every thread have its own session on a store whose documents are in an SQLite file.

    Haystack's store has one session for all, and SQLAlchemy's sessions are not for sharing: a thread that reads while
    another writes was seen to end in a segmentation fault. REST endpoints do just that. Where a server holds the
    documents the one session stays, since every thread's own would keep a connection of the pool; and SQLite in memory
    can be used from one thread only.

    It also makes the index in SQLite that the meta of a document is found by.

    :param store: after its `__init__`.
    """
    engine = store.session.get_bind()
    if engine.url.get_backend_name() == "sqlite" and engine.url.database not in (None, *_IN_MEMORY):
        store.session.close()
        event.listen(engine, "connect", _wait_for_others)
        store.session = scoped_session(sessionmaker(bind=engine))
    # after the waiting is set: another process may be writing
    find_meta_by_document(engine)


def _wait_for_others(connection: Any, _record: Any) -> None:
    # a thread's connection of its own waits for another's transaction, of thousands of documents in Haystack's store
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1_000}")


def path_beside(sql_url: str) -> str | None:
    """
    Where the states belong by default: beside the file that holds the documents.

    :param sql_url: of the store; `sqlite:///x/documents.db` gives `x/documents.representations`, `x/documents` gives
        `x/documents_representations`.
    :return: None for documents in memory: so are the states then.
    :raises ValueError: for documents on a server, which have no beside.
    """
    url = make_url(sql_url)
    if url.get_backend_name() == "sqlite" and not (url.database or "").startswith("file:"):
        if url.database is None or url.database in _IN_MEMORY:
            return None
        path = Path(url.database)
        return str(beside(path, "representations"))
    msg = (
        f"The documents are in {url.render_as_string(hide_password=True)!r}, which is no plain file that states could "
        "be put beside: give representation_path, a folder on a local disk."
    )
    raise ValueError(msg)


def beside(database: Path, suffix: str) -> Path:
    """
    A folder beside a database; no two names must meet, "data.v1" and "data.v2" no more than "data" and "data.db".

    :param database: its file; where it is a link, the folder is beside what it leads to, as for any other name of it.
    :param suffix: of the folder, without a dot.
    """
    if database.is_symlink():
        database = database.resolve()
    if database.suffix == ".db":
        return database.with_suffix(f".{suffix}")
    return Path(f"{database}.{suffix}" if database.suffix else f"{database}_{suffix}")
