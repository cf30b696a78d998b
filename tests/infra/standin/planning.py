"""What a provider does with a configuration: finds its faults, plans it, and makes up what only a cloud would know. All pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tests.infra.standin.schema import Attribute, Block

UNKNOWN: Final = msgspec.msgpack.Ext(0, b"\x00")  # how Terraform writes a value that is known after the apply only
EMPTY: Final[tuple[Any, ...]] = (None, [], {})

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the provider refuses in a configuration, and where."""

    path: Path
    message: str


def is_unknown(value: object) -> bool:
    """Not known before the apply, possibly with a hint about it."""
    return isinstance(value, msgspec.msgpack.Ext)


def faults(block: Block, config: Mapping[str, Any], path: Path = ()) -> Iterator[Fault]:
    """All that is wrong with a configuration beyond names and types, which Terraform itself has checked."""
    yield from _broken_rules(block, config, path)
    for name, attribute in block.attributes.items():
        value = config.get(name)
        if isinstance(value, str):
            yield from _refused_text(attribute, name, value, path)
        elif attribute.block is not None and isinstance(value, list):
            for index, element in enumerate(value):
                here = (*path, name) if attribute.is_set else (*path, name, index)
                if isinstance(element, dict):
                    yield from faults(attribute.block, element, here)


def planned(block: Block, proposed: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The proposed values with the provider's defaults, and unknown where only the cloud can tell."""
    plan = {name: _planned(attribute, proposed.get(name), project) for name, attribute in block.attributes.items()}
    if "project" in plan and is_unknown(plan["project"]):
        plan["project"] = project
    for name, attribute in block.attributes.items():
        if attribute.known is not None and not any(is_unknown(plan[used]) for used in re.findall(r"{(\w+)}", attribute.known)):
            plan[name] = attribute.known.format_map(plan)
    return plan


def replacements(block: Block, before: Mapping[str, Any], after: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Where a change cannot be made in place."""
    for name, attribute in block.attributes.items():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if (
            attribute.block is not None
            and not attribute.is_set
            and isinstance(old, list)
            and isinstance(new, list)
            and len(old) == len(new)
        ):
            for index, (was, now) in enumerate(zip(old, new, strict=True)):
                yield from replacements(attribute.block, was, now, (*path, name, index))
        elif "new" in attribute.words:
            yield (*path, name)


def existing(kind: str, at: str) -> dict[str, Any]:
    """What is there that Terraform has not made: a database as `gcloud firestore databases restore` leaves it, and its indexes."""
    project, database = at.split("/")[1:4:2]
    common = {"id": at, "name": at, "project": project}
    if kind == "google_firestore_database":
        return common | {
            "name": database,
            "location_id": "africa-south1",
            "type": "FIRESTORE_NATIVE",
            "delete_protection_state": "DELETE_PROTECTION_DISABLED",
            "point_in_time_recovery_enablement": "POINT_IN_TIME_RECOVERY_DISABLED",
        }
    if kind == "google_firestore_index":
        paths = {"due": ("open.shard", "open.dueAt"), "lookup": ("keys", "createdAt")}[at.rpartition("/")[2]]
        directions = {"open.shard": "ASCENDING", "open.dueAt": "ASCENDING", "createdAt": "DESCENDING"}
        return common | {
            "api_scope": "ANY_API",
            "collection": at.split("/")[5],
            "database": database,
            "fields": [
                {"field_path": path, "order": directions.get(path), "array_config": None if path in directions else "CONTAINS"}
                for path in paths
            ],
            "multikey": False,
            "query_scope": "COLLECTION",
            "skip_wait": False,
        }
    raise ValueError(f"nothing is known of a {kind} that is there already")


def applied(plan: Any, kind: Any, seed: str) -> Any:
    """The plan with every unknown made up: the same each time for the same place."""
    if is_unknown(plan):
        return _made_up(kind, seed)
    if isinstance(plan, dict) and isinstance(kind, list) and kind[0] == "object":
        return {name: applied(value, kind[1][name], f"{seed}.{name}") for name, value in plan.items()}
    if isinstance(plan, list) and isinstance(kind, list):
        return [applied(value, kind[1], f"{seed}.{index}") for index, value in enumerate(plan)]
    return plan


def _planned(attribute: Attribute, value: Any, project: str) -> Any:
    if attribute.nested and attribute.block is not None and isinstance(value, list):
        return [planned(attribute.block, element, project) if isinstance(element, dict) else element for element in value]
    if value is not None:
        return value
    return UNKNOWN if "computed" in attribute.words else attribute.default


def _refused_text(attribute: Attribute, name: str, value: str, path: Path) -> Iterator[Fault]:
    if attribute.enum and value not in attribute.enum:
        yield Fault((*path, name), f"{name} is {value!r}, expected one of {', '.join(attribute.enum)}")
    for pattern in attribute.patterns:
        if re.search(pattern, value) is None:
            yield Fault((*path, name), f"{name} is {value!r}, which does not match {pattern}")


def _broken_rules(block: Block, config: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    for rule, groups in block.rules.items():
        for group in groups:
            given = [name for name in group if config.get(name) not in EMPTY]
            maybe = any(is_unknown(config.get(name)) for name in group)
            too_few = not given and rule != "at_most_one_of"
            too_many = len(given) > 1 and rule != "at_least_one_of" and not maybe
            if too_few or too_many:
                yield Fault(path, f"{rule.replace('_', ' ')} {', '.join(group)}: {', '.join(given) or 'none'} given")


def _made_up(kind: Any, seed: str) -> Any:
    match kind:
        case "string":
            return "made-up-" + hashlib.sha256(seed.encode()).hexdigest()[:8]
        case "number":
            return 0
        case "bool":
            return False
        case ["map", _]:
            return {}
        case _:
            return []
