"""`docs/problems.md`: every problem, its cause and the remedy, from the one table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.domain.outcome import Reason
from shared.schemas.problems import KINDS, Name
from shared.web.problem_pages import NAMES, RETRY_WORDS

PATH: Final = Path(__file__).resolve().parent.parent / "docs" / "problems.md"

_HEAD: Final = """\
# Problems

Every refusal is `application/problem+json` (RFC 9457). Its `type` is `/problems/<name>`. Every function answers that
path, without a token: with a page for browsers, else with JSON. `make openapi` generates this page from the same table.

The first part lists problems that end a purchase. They carry `state: "rejected"`: on evidence, nothing was or will be
vended under their key. On prevend, and in the list of products, the same names have no `state`, because there is no
sale. The second part lists problems without an outcome.

`retry` names the next request that is allowed:

| `retry` | |
|---|---|
"""


def text() -> str:
    """Return the page, in Markdown."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (f"| `{retry}` | {words} |" for retry, words in RETRY_WORDS.items())
    rejections = [name for name in NAMES.values() if isinstance(name, Reason)]
    others = [name for name in NAMES.values() if not isinstance(name, Reason)]
    for title, names in (("Nothing was sold", rejections), ("No outcome of a sale", others)):
        yield from ("", f"## {title}")
        for name in names:
            yield from _about(name)


def _about(name: Name) -> Iterator[str]:
    kind = KINDS[name]
    wait = f", after {kind.retry_after_seconds} seconds unless the answer says otherwise" if kind.retry_after_seconds is not None else ""
    yield from ("", f"### `{name}`", "")
    yield f"{kind.title}: {kind.status}, `retry: {kind.retry}`{wait}. {kind.when}"
    yield from ("", f"**What to do.** {kind.what_to_do}")
