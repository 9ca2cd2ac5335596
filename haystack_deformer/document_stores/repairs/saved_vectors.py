"""The file of an index's vectors, and whether the documents in the database are still those that it was saved with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haystack_deformer.document_stores.parents import FAISSStore
from haystack_deformer.document_stores.repairs.guarding import Guarded
from haystack_deformer.document_stores.repairs.sessions import undone_on_error
from haystack_deformer.document_stores.repairs.vector_numbers import digest_of_numbers
from haystack_deformer.files import write_atomically

_DIGEST = "documents_digest"
"""In the file of the configuration, beside the parameters of the store."""


class SavedVectors(Guarded, FAISSStore):
    """
    Put ahead of FAISSDocumentStore, which compares nothing but how many vectors and documents there are.

    Documents are in the database at once and vectors in the file when `save` is called: where some were deleted and as
    many written since, it loads the file and then finds documents by the vectors of others.
    """

    _saved: Mapping[str, Any] = {}
    """What the file of the configuration held, where this store was loaded from one."""

    def save(self, index_path: str | Path, config_path: str | Path | None = None) -> None:
        """
        Save the vectors of the default index as the parent does, with a digest of the documents that they are of.

        :param index_path: file of the vectors.
        :param config_path: file of the configuration; None: beside it.
        """
        config = Path(config_path) if config_path else Path(index_path).with_suffix(".json")
        with self.guard, undone_on_error(self.session):
            super().save(index_path, config)
            saved = json.loads(config.read_bytes())
            # where this store was loaded from is not where it is saved
            saved.pop("faiss_config_path", None)
            if self._saved:
                # what was not to be looked at when it was loaded is to be from now on
                saved["validate_index_sync"] = self._saved.get("validate_index_sync", True)
            saved[_DIGEST] = digest_of_numbers(self.session, self.index)
            write_atomically(config, json.dumps(saved).encode())

    def _validate_index_sync(self) -> None:
        """Say what the parent says, and what to do: whoever opens a database again meets this first."""
        documents, vectors = self.get_document_count(), self.get_embedding_count()
        if documents != vectors:
            database = self.session.get_bind().url
            msg = (
                f"The number of documents in the SQL database ({documents}, in {database!r}) doesn't match the number "
                f"of embeddings in FAISS ({vectors}): vectors are in memory until save(). Load the file that it wrote "
                f"({type(self).__name__}.load), or give validate_index_sync=False, call update_embeddings(retriever), "
                "and then save()."
            )
            raise ValueError(msg)

    def _load_init_params_from_config(
        self, index_path: str | Path, config_path: str | Path | None = None
    ) -> dict[str, Any]:
        saved = super()._load_init_params_from_config(index_path, config_path)
        self._saved = dict(saved)
        # FAISSDocumentStore's files have none
        saved.pop(_DIGEST, None)
        return saved

    def check_documents(self) -> None:
        """
        Look whether the documents are those that the loaded vectors were saved with.

        :raises ValueError: where they are others.
        """
        known = self._saved.get(_DIGEST)
        if known is not None and known != digest_of_numbers(self.session, self.index):
            msg = (
                f"The vectors in the file are not those of the documents in {self.session.get_bind().url!r}: documents "
                "were written or deleted after save(). Load it with validate_index_sync=False, call "
                "update_embeddings(retriever), then save() again; or take the database as it was at save()."
            )
            raise ValueError(msg)
