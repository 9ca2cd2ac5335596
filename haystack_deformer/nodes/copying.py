"""Copies of a reader: settings of their own, over one model and one document store."""

# as the reader's own module, without strings for types

from copy import copy
from typing import Any, Dict, List, Optional

import torch
from haystack.document_stores import BaseDocumentStore

from haystack_deformer.document_stores.mixin import DeFormerDocumentStoreMixin
from haystack_deformer.inference import PassageReader
from haystack_deformer.nodes.sources import deformer_store, reader_encoder, stored_representations


class CopiesReader:
    """For a reader whose `_reader` holds threads and locks, and a model that processes load for themselves."""

    model_name_or_path: Optional[str]
    document_store: Optional[BaseDocumentStore]
    devices: List[torch.device]
    _component_config: Dict[str, Any]
    _model_parameters: Dict[str, Any]
    _runtime_parameters: Dict[str, Any]
    _reading_parameters: Dict[str, Any]
    _reader: PassageReader
    _answers: Any

    def _open_reader(self, store: Optional[DeFormerDocumentStoreMixin]) -> PassageReader:
        encoder = reader_encoder(self.model_name_or_path, store, self.devices[0], self._model_parameters)
        runtime = encoder.runtime(**self._runtime_parameters)
        stored = stored_representations(store, encoder)
        return PassageReader(encoder, stored, runtime=runtime, **self._reading_parameters)

    def __getstate__(self) -> Dict[str, Any]:
        """For pickle and copies, with what was set since; the model is named."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_reader"}
        kept["_reading_parameters"] = dict(self._reading_parameters)
        kept["_answers"] = copy(self._answers)
        kept["_component_config"] = {**self._component_config, "params": dict(self._component_config["params"])}
        return kept

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reader = self._open_reader(deformer_store(self.document_store))

    def __deepcopy__(self, memo: Dict[int, Any]) -> Any:
        """Asks the same document store: a database is not copied with its reader."""
        copied = memo[id(self)] = copy(self)
        return copied
