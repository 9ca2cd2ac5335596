"""Pipelines of one YAML file that share their components: what is uploaded can be asked about at once."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fastapi import HTTPException
from haystack import Pipeline
from haystack.document_stores import BaseDocumentStore, SQLDocumentStore
from haystack.errors import PipelineConfigError
from haystack.nodes import BaseConverter, BaseRetriever, DenseRetriever
from haystack.nodes.file_converter import JsonConverter
from haystack.pipelines.config import (
    get_component_definitions,
    get_pipeline_definition,
    read_pipeline_config_from_yaml,
    validate_config,
)
from haystack.schema import Document
from sqlalchemy.orm import scoped_session

import haystack_deformer.nodes  # noqa: F401  # makes our nodes known to the YAML file, as the next one does
from haystack_deformer.document_stores import give_threads_their_sessions
from haystack_deformer.rest_api.characters import check_whole
from haystack_deformer.rest_api.observing import current_record
from haystack_deformer.rest_api.splitting import SPLITTING, check_count, expected_documents

logger = logging.getLogger(__name__)


class ServedPipeline(Pipeline):
    """
    A pipeline whose nodes' times go into the record of the request.

    It refuses what would become more documents than `max_documents`; None: any number.
    """

    max_documents: int | None = None

    @classmethod
    def assemble(
        cls, name: str, config: dict[str, Any], definitions: dict[str, Any], components: dict[str, Any]
    ) -> Any:
        """
        Build one pipeline of a file.

        :param name: of the pipeline.
        :param config: the file.
        :param definitions: of its components.
        :param components: by name, those that are there already; new ones are added.
        :raises PipelineConfigError: names the component that cannot be loaded, and why.
        """
        pipeline = cls()
        for node in get_pipeline_definition(config, name)["nodes"]:
            try:
                component = cls._load_or_get_component(node["name"], definitions, components)
            except PipelineConfigError as error:
                raise PipelineConfigError(_why(error)) from error
            pipeline.add_node(component=component, name=node["name"], inputs=node["inputs"])
        pipeline.update_config_hash()
        return pipeline

    def _run_node(self, node_id: str, node_input: dict[str, Any]) -> tuple[dict, str]:
        if node_id == self.root_node:
            return super()._run_node(node_id, node_input)
        with current_record().stage(node_id):
            node, documents = self.nodes()[node_id], node_input.get("documents") or ()
            if self.max_documents is not None:
                given = {name: self.given(node_id, name, node_input.get("params") or {}) for name in SPLITTING}
                check_count(expected_documents(node, documents, given), self.max_documents)
            output, stream = super()._run_node(node_id, node_input)
            made = output.get("documents") or ()
            if self.max_documents is not None:
                check_count(len(made), self.max_documents)
            if isinstance(node, BaseConverter):
                _check_converted(node_id, node, made)
            return output, stream

    def run_request(self, params: dict[str, Any], *, debug: bool = False, **inputs: Any) -> dict[str, Any]:
        """
        Run for a request. Every node is told whether it is to say what it was given, for it remembers what it was told
        last, by whatever request.

        :param params: by node, or for all nodes that know one; `debug` of either kind among them.
        :param debug: of all nodes.
        :param inputs: the question or the files.
        :return: with `_debug` of the nodes that were asked for it alone.
        """
        for_all = debug or params.get("debug")
        told: dict[str, dict[str, Any]] = {}
        for name in self.arguments():
            own = params.get(name, {})
            told[name] = {**own, "debug": bool(own.get("debug") if for_all is None else for_all)}
        given = {name: value for name, value in params.items() if name != "debug"}
        # a node takes the last value that it finds: the order stays
        result = self.run(params={**given, **told}, **inputs)
        said = {name: entry for name, entry in result.pop("_debug", {}).items() if told.get(name, {}).get("debug")}
        return {**result, "_debug": said} if said else result

    def nodes(self) -> dict[str, Any]:
        """The nodes by name."""
        return {name: self.graph.nodes[name]["component"] for name in self.graph.nodes if name != self.root_node}

    def arguments(self) -> dict[str, set[str]]:
        """For each node the parameters that it takes of a run."""
        return {name: set(inspect.signature(node.run).parameters) for name, node in self.nodes().items()}

    @staticmethod
    def given(node: str, parameter: str, params: dict[str, Any]) -> Any:
        """
        What a request gives a node for a parameter, for it alone or for all; None: nothing.

        :param node: its name.
        :param parameter: that it takes.
        :param params: of the request, checked. Of both kinds the last counts, as when the node takes them.
        """
        value = None
        for name, item in params.items():
            if name == node:
                value = item.get(parameter, value)
            elif name == parameter:
                value = item
        return value


def _check_converted(name: str, converter: BaseConverter, documents: Sequence[Document]) -> None:
    """Refuse files of which a converter makes nothing, or what no store could keep."""
    if not documents:
        # a retriever would fail on no documents, as if the server were at fault
        raise HTTPException(400, f"{name} cannot read the files: it finds no document in them.")
    for document in documents:
        if not isinstance(converter, JsonConverter) and not str(document.content).strip():
            # a scan: all documents without text have one id, and the store would keep the last of them
            what = f"{document.meta.get('name')!r}, as in a scan or an encrypted file"
            raise HTTPException(400, f"{name} finds no text in {what}.")
        # what a JSON file says beside the text, whose half characters Haystack refuses
        check_whole(f"The document {document.id!r}", {"id": document.id, "meta": document.meta})


def _why(error: BaseException) -> str:
    """What Haystack says of a component, each around the ones that it needs, and of the innermost what went wrong."""
    while isinstance(error.__cause__, PipelineConfigError):
        error = error.__cause__
    if error.__cause__ is None:
        return str(error)
    # the rest of its message points to a traceback that the command line does not show
    return f"{str(error).split('. See', 1)[0]}: {str(error.__cause__) or type(error.__cause__).__name__}"


@dataclass(frozen=True)
class Pipelines:
    """
    What a server runs.

    :param query: answers questions.
    :param indexing: takes in files; None: there is none.
    :param stores: of both, each with the retriever that embeds questions for it, and documents where the indexing
        pipeline does not; None: there is none. The first is the one for documents and feedback.
    """

    query: ServedPipeline
    indexing: ServedPipeline | None
    stores: tuple[tuple[BaseDocumentStore, DenseRetriever | None], ...]

    @property
    def document_store(self) -> BaseDocumentStore | None:
        """The one for documents and feedback; None: the pipelines have none."""
        return self.stores[0][0] if self.stores else None

    @classmethod
    def load(cls, path: Path, query: str, indexing: str) -> Pipelines:
        """
        Load both pipelines of a file, each component once.

        :param path: YAML file.
        :param query: name of the query pipeline.
        :param indexing: name of the indexing pipeline; the file need not have it.
        :raises HaystackError: where the file has no valid pipelines.
        :raises ValueError: where it is no YAML.
        """
        try:
            config = read_pipeline_config_from_yaml(path)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            msg = f"{str(path)!r} is no YAML file that can be read, mend it where it says: {error}"
            raise ValueError(msg) from error
        validate_config(config)
        definitions = get_component_definitions(config)
        for definition in definitions.values():
            parameters = definition.setdefault("params", {})
            if definition["type"].endswith("FAISSDocumentStore") and not parameters.get("faiss_index_path"):
                # after a restart the documents are there and their vectors are not: `ServedStore` makes them
                parameters.setdefault("validate_index_sync", False)
        components: dict[str, Any] = {}
        query_pipeline = ServedPipeline.assemble(query, config, definitions, components)
        indexing_pipeline = None
        if any(pipeline["name"] == indexing for pipeline in config["pipelines"]):
            indexing_pipeline = ServedPipeline.assemble(indexing, config, definitions, components)
        else:
            names = [pipeline["name"] for pipeline in config["pipelines"]]
            logger.warning("%s has no pipeline %r, only %s: uploads are answered by 501.", path, indexing, names)
        stores = [component for component in components.values() if isinstance(component, BaseDocumentStore)]
        if len(stores) > 1:
            logger.warning(
                "%s has several document stores: /documents and /feedback use that of the query; of two there, the one "
                "that uploads are written to.",
                path,
            )
        first = _first_store(query_pipeline, indexing_pipeline)
        stores.sort(key=lambda store: store is not first)
        for store in stores:
            if isinstance(store, SQLDocumentStore) and not isinstance(store.session, scoped_session):
                # ours see to it themselves, Haystack's own do not
                give_threads_their_sessions(store)
        retrievers = [node for node in components.values() if isinstance(node, DenseRetriever)]
        asked = tuple((store, next((r for r in retrievers if r.document_store is store), None)) for store in stores)
        return cls(query_pipeline, indexing_pipeline, asked)

    def written_indexes(self, store: BaseDocumentStore, params: dict[str, Any]) -> list[str | None]:
        """
        The indexes of a store that take an upload's documents without vectors; None is the default one.

        :param store: of both pipelines or one.
        :param params: of the upload, checked.
        """
        if self.indexing is None:
            return []
        retrievers = self.indexing.get_nodes_by_class(BaseRetriever)
        if any(getattr(retriever, "document_store", None) is store for retriever in retrievers):
            return []
        names = [name for name, node in self.indexing.nodes().items() if node is store]
        # the empty name means the default too, but not to all methods of all stores
        return [ServedPipeline.given(name, "index", params) or None for name in names]


def _first_store(query: Pipeline, indexing: Pipeline | None) -> BaseDocumentStore | None:
    """Of the query's stores one that uploads go to, else the first; Haystack's own way raises where there are two."""
    asked, written = ([] if pipeline is None else _stores_of(pipeline) for pipeline in (query, indexing))
    return next((store for store in asked if any(store is other for other in written)), next(iter(asked), None))


def _stores_of(pipeline: Pipeline) -> list[BaseDocumentStore]:
    """Nodes that are stores, and the stores that nodes ask, in the pipeline's order."""
    nodes = [pipeline.get_node(name) for name in pipeline.graph.nodes]
    found = [node if isinstance(node, BaseDocumentStore) else getattr(node, "document_store", None) for node in nodes]
    return [store for store in found if isinstance(store, BaseDocumentStore)]
