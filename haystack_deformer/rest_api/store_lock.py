"""One server process for a store that lives in a process: FAISS' vectors are in memory, their numbers in SQLite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from haystack.document_stores import BaseDocumentStore, SQLDocumentStore

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class StoreLock:
    """
    Held by the one server that may have an SQLite file; the operating system frees it however the process ends.

    :param store: of any kind; those on servers and in memory need no lock.
    :raises ValueError: where another server has it, or no server can have it.
    """

    def __init__(self, store: BaseDocumentStore | None) -> None:
        self._file: int | None = None
        database = sqlite_database(store)
        if database is None or fcntl is None:
            return
        path = Path(f"{database}.server-lock")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            msg = (
                f"Another server has this document store open ({path}): what one writes the other would not find. Stop "
                "it, or give this one a store of its own; docs/deployment.md says how to run several."
            )
            raise ValueError(msg) from error
        self._file = file

    def release(self) -> None:
        """Let another server have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


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
    return Path(url.database)
