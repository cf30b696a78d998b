"""Which index answers a query, as Firestore decides it: for queries of the store, and the indexes of a plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.infra.plan import Plan

EQUALITIES: Final = ("EQUAL", "IN")
CONTAINING: Final = ("ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY")
BY_NAME: Final = "__name__"

Entry = tuple[str, str]
"""A field and how it is indexed: `ASCENDING`, `DESCENDING` or `CONTAINS`."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a query asks of an index. `equal` and `contains` may stand in any order, `ordered` only in this one."""

    collection: str
    equal: frozenset[str]
    contains: frozenset[str]
    ordered: tuple[Entry, ...]

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> "Query":
        """From a `StructuredQuery`, as JSON."""
        filters = list(_filters(sent.get("where", {})))
        ordered = [(order["field"]["fieldPath"], order.get("direction", "ASCENDING")) for order in sent.get("orderBy", ())]
        ranged = [path for path, operator in filters if operator not in (*EQUALITIES, *CONTAINING)]
        missing = [(path, "ASCENDING") for path in dict.fromkeys(ranged) if path not in dict(ordered)]
        return cls(
            collection=sent["from"][0]["collectionId"],
            equal=frozenset(path for path, operator in filters if operator in EQUALITIES),
            contains=frozenset(path for path, operator in filters if operator in CONTAINING),
            ordered=tuple(entry for entry in (*missing, *ordered) if entry[0] != BY_NAME),
        )

    @property
    def unordered(self) -> frozenset[Entry]:
        return frozenset({(path, "ASCENDING") for path in self.equal} | {(path, "CONTAINS") for path in self.contains})


def uncovered(plan: Plan, queries: Iterable[Query]) -> Iterator[str]:
    """The queries that Firestore would refuse for want of an index, in any database of the plan."""
    queries = tuple(queries)
    for database in plan.of("firestore_database"):
        yield from _uncovered_in(database["name"], plan, queries)


def _uncovered_in(database: str, plan: Plan, queries: Iterable[Query]) -> Iterator[str]:
    for query in queries:
        where = f"{query.collection} in {database}"
        if not _needs_composite(query):
            missing = [entry for entry in (*query.unordered, *query.ordered) if not _single(plan, database, query.collection, entry)]
            if missing:
                yield f"a query of {where} needs a single-field index on {missing}, which the plan takes away"
        elif not any(_answers(index, query) for index in _composite(plan, database, query.collection)):
            yield f"no index of the plan answers the query of {where} by {sorted(query.unordered)} then {list(query.ordered)}"


def _filters(where: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for inner in where.get("compositeFilter", {}).get("filters", ()):
        yield from _filters(inner)
    if "fieldFilter" in where:
        yield where["fieldFilter"]["field"]["fieldPath"], where["fieldFilter"]["op"]


def _needs_composite(query: Query) -> bool:
    """Equalities alone are answered by merging single-field indexes; anything else beside another field is not."""
    return (bool(query.ordered) and len(query.unordered) + len(query.ordered) > 1) or (bool(query.contains) and len(query.unordered) > 1)


def _answers(index: tuple[Entry, ...], query: Query) -> bool:
    front, back = index[: len(query.unordered)], index[len(query.unordered) :]
    return frozenset(front) == query.unordered and back == query.ordered


def _composite(plan: Plan, database: str, collection: str) -> Iterator[tuple[Entry, ...]]:
    for index in plan.of("firestore_index"):
        if (index["database"], index["collection"]) == (database, collection):
            yield tuple((field["field_path"], field["order"] or field["array_config"]) for field in index["fields"])


def _single(plan: Plan, database: str, collection: str, entry: Entry) -> bool:
    """Every field has all of them, until the plan says which."""
    asked = (database, collection, entry[0])
    said = [field for field in plan.of("firestore_field") if (field["database"], field["collection"], field["field"]) == asked]
    kept = [field["index_config.0.indexes"] or () for field in said if field["index_config"]]
    return all(any(entry[1] in (each["order"], each["array_config"]) for each in indexes) for indexes in kept)
