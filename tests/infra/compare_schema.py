"""Where `google_schema.json` and the real provider differ; for a machine with a network, after the provider has been raised.

    terraform -chdir=infra/terraform providers schema -json | python -m tests.infra.compare_schema

What only the provider has is passed over: the file holds what we use.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.infra.standin.schema import Attribute, Block, ProviderSchema, read
from tests.infra.standin.server import ADDRESS

SCHEMA: Final = Path(__file__).parent / "google_schema.json"
FLAGS: Final = ("required", "optional", "computed")


def differences(ours: ProviderSchema, shown: Mapping[str, Any]) -> Iterator[str]:
    """From what `terraform providers schema -json` prints."""
    theirs = shown["provider_schemas"][ADDRESS]
    for name, block in ours.resources.items():
        yield from _block(name, block, theirs["resource_schemas"].get(name, {}).get("block"))
    for name, block in ours.data_sources.items():
        yield from _block(f"data {name}", block, theirs["data_source_schemas"].get(name, {}).get("block"))


def _block(path: str, ours: Block, theirs: Mapping[str, Any] | None) -> Iterator[str]:
    if theirs is None:
        yield f"{path}: the provider has no such thing"
        return
    for name, attribute in ours.attributes.items():
        here = f"{path}.{name}"
        if attribute.nested:
            yield from _nested(here, attribute, theirs.get("block_types", {}).get(name))
        else:
            yield from _attribute(here, attribute, theirs.get("attributes", {}).get(name))
    required = {name for name, each in theirs.get("attributes", {}).items() if each.get("required")}
    required |= {name for name, each in theirs.get("block_types", {}).items() if each.get("min_items")}
    for name in sorted(required - ours.attributes.keys()):
        yield f"{path}.{name}: required by the provider, and missing here"


def _attribute(path: str, ours: Attribute, theirs: Mapping[str, Any] | None) -> Iterator[str]:
    if theirs is None:
        yield f"{path}: the provider has no such argument"
        return
    said, meant = ([flag for flag in FLAGS if flag in words] for words in (ours.words, {flag for flag in FLAGS if theirs.get(flag)}))
    if said != meant:
        yield f"{path}: {' '.join(said)} here, {' '.join(meant)} in the provider"
    if ours.block is None and ours.type != theirs["type"]:
        yield f"{path}: {ours.type} here, {theirs['type']} in the provider"


def _nested(path: str, ours: Attribute, theirs: Mapping[str, Any] | None) -> Iterator[str]:
    if theirs is None:
        yield f"{path}: the provider has no such block"
        return
    said, meant = (ours.type[0], ours.least, ours.most), (theirs["nesting_mode"], theirs.get("min_items", 0), theirs.get("max_items", 0))
    if said != meant:
        yield f"{path}: nesting, least and most are {said} here, {meant} in the provider"
    assert ours.block is not None  # or it would not be nested
    yield from _block(path, ours.block, theirs["block"])


def main() -> int:
    """Compare with what comes in; 1 when something differs."""
    found = list(differences(read(SCHEMA), json.load(sys.stdin)))
    print("\n".join(found) or "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
