"""What an index was made with, kept beside it, so that asking needs no more than the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from haystack_deformer.files import write_atomically

_FILE = "settings.json"


class IndexSettings(BaseModel):
    """
    Models and codec of an index.

    :param model: name or path of the DeFormer model.
    :param lower_layers: the cut k; None: what the model records.
    :param codec: of the stored states.
    :param embedding_model: sentence-transformers model for retrieval; None: all-MiniLM-L6-v2.
    """

    model: str
    lower_layers: int | None = None
    codec: str = "SQfp16"
    embedding_model: str | None = None

    @staticmethod
    def path(folder: str | Path) -> Path:
        """
        The file that they are kept in.

        :param folder: of the index.
        """
        return Path(folder) / _FILE

    def resolved(self) -> IndexSettings:
        """With whole paths where models are folders, so that asking works from any directory."""
        models = {name: getattr(self, name) for name in ("model", "embedding_model")}
        whole = {name: str(Path(model).resolve()) for name, model in models.items() if model and Path(model).is_dir()}
        return IndexSettings(**{**self._values(), **whole})

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).__annotations__}

    def save(self, folder: str | Path) -> None:
        """
        Write them into the index's folder.

        :param folder: of the index.
        """
        write_atomically(self.path(folder), (json.dumps(self._values(), indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: str | Path) -> IndexSettings:
        """
        Read what `save` wrote.

        :param folder: of the index.
        :raises FileNotFoundError: where the folder is no index.
        :raises ValueError: where the file was damaged; names the field.
        """
        path = cls.path(folder)
        if not path.is_file():
            msg = f"No index in {str(folder)!r}: make one with `haystack-deformer index DOCUMENTS --index {folder}`."
            raise FileNotFoundError(msg)
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValidationError, TypeError, ValueError) as error:
            msg = f"{str(path)!r} cannot be read: {error}. Run `haystack-deformer index` again."
            raise ValueError(msg) from error
