"""The provider's schema, read from `google_schema.json`: which arguments each resource has, and the rules among them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MODIFIERS: Final = ("required", "optional", "computed", "new", "sensitive")
RULES: Final = ("exactly_one_of", "at_least_one_of", "at_most_one_of")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One argument, or with `block` a nested block. `type` is Terraform's, such as `string` or `["list", "string"]`."""

    words: frozenset[str]
    type: Any
    block: "Block | None" = None
    default: Any = None
    enum: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    known: str | None = None
    least: int = 0
    most: int = 0

    @property
    def nested(self) -> bool:
        """Written as a block. What is only computed is an attribute, however deep: so does the provider's SDK."""
        return self.block is not None and self.words & {"required", "optional"} != frozenset()

    @property
    def is_set(self) -> bool:
        """Its elements have no index, so a path ends here."""
        return bool(self.type[0] == "set")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two braces, and which of its arguments go together."""

    attributes: Mapping[str, Attribute]
    rules: Mapping[str, tuple[tuple[str, ...], ...]]

    @property
    def type(self) -> Any:
        return ["object", {name: attribute.type for name, attribute in self.attributes.items()}]


@dataclass(frozen=True, slots=True)
class ProviderSchema:
    """All that the stand-in knows of the provider."""

    provider: Block
    resources: Mapping[str, Block]
    data_sources: Mapping[str, Block]


def read(path: Path) -> ProviderSchema:
    """The schema in that file.

    Raises:
        ValueError: a word or a rule that has no meaning here.
    """
    raw = json.loads(path.read_text())
    return ProviderSchema(
        provider=_block(raw["provider"]),
        resources={name: _block(of) for name, of in raw["resources"].items()},
        data_sources={name: _block(of) for name, of in raw["data_sources"].items()},
    )


def _block(raw: Mapping[str, Any]) -> Block:
    attributes = {name: _attribute({"is": said} if isinstance(said, str) else said) for name, said in raw["of"].items()}
    rules = {rule: tuple(tuple(group) for group in raw.get(rule, ())) for rule in RULES}
    for group in (group for groups in rules.values() for group in groups):
        if unknown := set(group) - set(attributes):
            raise ValueError(f"a rule names {sorted(unknown)}, which its block does not have")
    return Block(attributes, rules)


def _attribute(raw: Mapping[str, Any]) -> Attribute:
    *words, kind = raw["is"].split()
    if unknown := set(words) - set(MODIFIERS):
        raise ValueError(f"words without a meaning: {sorted(unknown)}")
    block = _block(raw) if "of" in raw else None
    return Attribute(
        words=frozenset(words),
        type=_type(kind) if block is None else [kind, block.type],
        block=block,
        default=raw.get("default"),
        enum=tuple(raw.get("enum", ())),
        patterns=tuple(raw.get("regex", ())),
        known=raw.get("known"),
        least=raw.get("min", 1 if block is not None and "required" in words else 0),
        most=raw.get("max", 0),
    )


def _type(kind: str) -> Any:
    collection, _, element = kind.rstrip(")").partition("(")
    return [collection, element] if element else collection
