"""A search engine in memory, asked by Haystack's own store: what is missing is 404, what was written shows later."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from haystack.document_stores.elasticsearch.base import _ElasticsearchDocumentStore

from haystack_deformer.document_stores import DeFormerDocumentStoreMixin

Headers = dict[str, str] | None


class EngineError(Exception):
    """As the clients' own: they have the status in common."""

    def __init__(self, status_code: int, what: str) -> None:
        super().__init__(f"{status_code}: {what}")
        self.status_code = status_code


class BulkError(Exception):
    """As the clients' BulkIndexError: what was wrong with each, raised before what comes after."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(errors)} document(s) failed to index.", errors)
        self.errors = errors


class FakeIndex:
    """
    Documents by id, as they are and as a search sees them.

    :param mappings: of its fields; it grows with what is written.
    """

    def __init__(self, mappings: dict[str, Any]) -> None:
        self.mappings = {"properties": {}, **copy.deepcopy(mappings)}
        self.documents: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, dict[str, Any]] = {}

    def put(self, identifier: str, source: dict[str, Any]) -> None:
        self.documents[identifier] = source
        for name in source:
            self.mappings["properties"].setdefault(name, {"type": "keyword"})

    def refresh(self) -> None:
        self.seen = copy.deepcopy(self.documents)


class FakeEngine:
    """
    The client and the server in one, with those of the client's methods that Haystack's store calls.

    `requests` has what was asked, in order; `token` is what requests must carry, once it is set; where `may_list` is
    False, asking for all indexes is forbidden.
    """

    def __init__(self) -> None:
        self.held: dict[str, FakeIndex] = {}
        self.requests: list[tuple[str, str]] = []
        self.token: str | None = None
        self.may_list = True
        self.indices = FakeIndices(self)

    def asked(self, what: str, index: str, headers: Headers) -> None:
        self.requests.append((what, index))
        if self.token is not None and (headers or {}).get("Authorization") != self.token:
            raise EngineError(401, what)

    def at(self, what: str, index: str, headers: Headers) -> FakeIndex:
        self.asked(what, index, headers)
        if index not in self.held:
            raise EngineError(404, f"no such index [{index}]")
        return self.held[index]

    def info(self) -> dict[str, Any]:
        return {"version": {"number": "7.17.9"}}

    def search(self, index: str, query: Any, size: int = 10, headers: Headers = None, **_: Any) -> dict[str, Any]:
        hits = list(self._hits(self.at("search", index, headers), query))[:size]
        return {"hits": {"hits": hits}}

    def scan(self, query: dict[str, Any], index: str, headers: Headers = None, **_: Any) -> Iterator[dict[str, Any]]:
        # a snapshot, as a scroll is
        yield from list(self._hits(self.at("scan", index, headers), query["query"], query.get("_source")))

    def count(self, index: str, body: dict[str, Any], headers: Headers = None) -> dict[str, int]:
        return {"count": len(list(self._hits(self.at("count", index, headers), body["query"])))}

    def update(self, index: str, id: str, doc: Any, refresh: str, headers: Headers = None) -> None:  # noqa: A002
        found = self.at("update", index, headers)
        if id not in found.documents:
            raise EngineError(404, f"document missing [{id}]")
        found.put(id, {**found.documents[id], **doc})
        if refresh != "false":
            found.refresh()

    def bulk(self, actions: Iterable[dict[str, Any]], refresh: str, headers: Headers = None) -> None:
        actions = copy.deepcopy(list(actions))
        for index in dict.fromkeys(action["_index"] for action in actions):
            self.asked("bulk", index, headers)
        for action in actions:
            found = self.held.setdefault(action["_index"], FakeIndex({}))
            identifier = action.get("_id") or str(len(found.documents))
            if action["_op_type"] == "update":
                if identifier not in found.documents:
                    raise BulkError([{"update": {"_id": identifier, "_index": action["_index"], "status": 404}}])
                found.put(identifier, {**found.documents[identifier], **action["doc"]})
            elif action["_op_type"] == "create" and identifier in found.documents:
                raise EngineError(409, f"document already exists [{identifier}]")
            else:
                found.put(identifier, action["_source"])
            if refresh != "false":
                found.refresh()

    def delete_by_query(self, index: str, body: Any, ignore: list[int], headers: Headers = None) -> None:
        try:
            found = self.at("delete_by_query", index, headers)
        except EngineError as error:
            if error.status_code in ignore:
                return
            raise
        for hit in list(self._hits(found, body["query"])):
            found.documents.pop(hit["_id"], None)

    def _hits(self, index: FakeIndex, query: Any, source: Any = None) -> Iterator[dict[str, Any]]:
        for identifier, document in index.seen.items():
            if matches(query, identifier, document):
                included = (source or {}).get("includes", document)
                shown = {name: value for name, value in document.items() if name in included}
                yield {"_id": identifier, "_source": copy.deepcopy(shown), "_score": None}


class FakeIndices:
    """
    The client's part for indexes.

    :param engine: what it is a part of.
    """

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def exists(self, index: str, headers: Headers = None) -> bool:
        # without asking for the token: Haystack's `_index_refresh`, of which every delete makes use, sends none here
        self.engine.requests.append(("exists", index))
        return index in self.engine.held

    def get(self, index: str, headers: Headers = None) -> dict[str, Any]:
        if index != "*":
            return {index: {"mappings": self.engine.at("get", index, headers).mappings}}
        self.engine.asked("get", index, headers)
        if not self.engine.may_list:
            raise EngineError(403, "no permissions for [indices:admin/get]")
        return {name: {"mappings": held.mappings} for name, held in self.engine.held.items()}

    def create(self, index: str, mappings: dict[str, Any], headers: Headers = None, **_: Any) -> None:
        self.engine.asked("create", index, headers)
        self.engine.held[index] = FakeIndex(mappings)

    def delete(self, index: str, ignore: list[int]) -> None:
        self.engine.asked("delete", index, None)
        del self.engine.held[index]

    def put_mapping(self, index: str, body: dict[str, Any], headers: Headers = None) -> None:
        self.engine.at("put_mapping", index, headers).mappings["properties"].update(body["properties"])

    def refresh(self, index: str, headers: Headers = None) -> None:
        self.engine.at("refresh", index, headers).refresh()


def matches(query: Any, identifier: str, document: dict[str, Any]) -> bool:
    """As much of the query language as Haystack and the hook make use of."""
    if isinstance(query, list):
        return all(matches(one, identifier, document) for one in query)
    [(kind, value)] = query.items()
    if kind == "match_all":
        return True
    if kind == "bool":
        musts = [value[name] for name in ("must", "filter") if name in value]
        either = value.get("should", [])
        return (
            all(matches(one, identifier, document) for one in musts)
            and not any(matches(one, identifier, document) for one in value.get("must_not", []))
            and (not either or any(matches(one, identifier, document) for one in either))
        )
    if kind == "ids":
        return identifier in value["values"]
    if kind in ("exists", "multi_match"):
        return value["field"] in document if kind == "exists" else shares_word(value, document)
    if kind in ("terms", "term"):
        [(name, wanted)] = value.items()
        return document.get(name) in (wanted if kind == "terms" else [wanted])
    raise EngineError(400, f"unknown query [{kind}]")


def shares_word(value: Any, document: dict[str, Any]) -> bool:
    words = set(value["query"].lower().split())
    return any(words & set(str(document.get(field, "")).lower().split()) for field in value["fields"])


class FakeElasticsearchDocumentStore(_ElasticsearchDocumentStore):
    """Haystack's own, over the engine in memory."""

    def _do_bulk(self, client: FakeEngine, actions: Any, **arguments: Any) -> None:
        client.bulk(actions, **arguments)

    def _do_scan(self, client: FakeEngine, **arguments: Any) -> Iterator[dict[str, Any]]:
        return client.scan(**arguments)


class DeFormerSearchEngineDocumentStore(DeFormerDocumentStoreMixin, FakeElasticsearchDocumentStore):
    """As the documents tell to make one."""

    def __init__(
        self,
        client: Any,
        deformer_model: str | None = None,
        representation_path: str | None = None,
        index: str = "document",
        refresh_type: str = "wait_for",
        duplicate_documents: str = "overwrite",
    ) -> None:
        self._init_representations(deformer_model, representation_path=representation_path)
        super().__init__(client=client, index=index, refresh_type=refresh_type, duplicate_documents=duplicate_documents)
        self.progress_bar = False
