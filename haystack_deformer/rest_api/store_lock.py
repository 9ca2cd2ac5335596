"""One server process for a store that lives in a process: FAISS' vectors are in memory, their numbers in SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from haystack.document_stores import BaseDocumentStore, SQLDocumentStore

from haystack_deformer.file_lock import FileLock


class StoreLock:
    """
    Held by the one server that may have an SQLite file.

    :param store: of any kind; those on servers and in memory need no lock.
    :raises ValueError: where another server has it, or no server can have it.
    """

    def __init__(self, store: BaseDocumentStore | None) -> None:
        self._lock: FileLock | None = None
        database = sqlite_database(store)
        if database is None:
            return
        path = Path(f"{database}.server-lock")
        try:
            self._lock = FileLock(path)
        except BlockingIOError as error:
            msg = (
                f"Another server has this document store open ({path}): what one writes the other would not find. Stop "
                "it, or give this one a store of its own; docs/deployment.md says how to run several."
            )
            raise ValueError(msg) from error

    def release(self) -> None:
        """Let another server have it."""
        if self._lock is not None:
            self._lock.release()


def sqlite_database(store: Any) -> Path | None:
    """
    The SQLite file that a store keeps its documents in; None where they are elsewhere.

    :param store: of any kind.
    :raises ValueError: where SQLite keeps them in memory, which a server's threads cannot share.
    """
    if not isinstance(store, SQLDocumentStore):
        return None
    url = store.session.get_bind().url
    if url.get_backend_name() != "sqlite":
        return None
    if url.database in (None, "", ":memory:"):
        msg = (
            f"The documents of {type(store).__name__} are in SQLite's memory ({url}), which one thread alone can use, "
            "and a server has many: give sql_url a file, sqlite:///documents.db for example."
        )
        raise ValueError(msg)
    # a link is another name of the same file, and two servers that each have one must meet at one lock
    return Path(url.database).resolve()
