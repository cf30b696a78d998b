"""`docs/problems.md`: every problem, when it happens and what to do, from the one table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.domain.outcome import Reason
from shared.schemas.problems import KINDS, Name
from shared.web.problem_pages import NAMES, RETRY_WORDS

PATH: Final = Path(__file__).resolve().parent.parent / "docs" / "problems.md"

_HEAD: Final = """\
# Problems

Every refusal is `application/problem+json` (RFC 9457). Its `type` is `/problems/<name>`, and every function answers there, for everybody:
with a page for browsers, else with JSON. This page is made from the same table (`make openapi`).

Those of the first part end a purchase: they carry `state: "rejected"`, and on the evidence nothing was or will be vended under their
key. On prevend, and in the list of products, the same names come without a `state`, because there is no sale. Those of the second part
say nothing about an outcome.

`retry` says what may be sent next:

| `retry` | |
|---|---|
"""


def text() -> str:
    """The page, in Markdown."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (f"| `{retry}` | {words} |" for retry, words in RETRY_WORDS.items())
    rejections = [name for name in NAMES.values() if isinstance(name, Reason)]
    others = [name for name in NAMES.values() if not isinstance(name, Reason)]
    for title, names in (("Nothing was sold", rejections), ("Nothing is said about a sale", others)):
        yield from ("", f"## {title}")
        for name in names:
            yield from _about(name)


def _about(name: Name) -> Iterator[str]:
    kind = KINDS[name]
    wait = f", after {kind.retry_after_seconds} seconds unless the answer says otherwise" if kind.retry_after_seconds is not None else ""
    yield from ("", f"### `{name}`", "")
    yield f"{kind.title}: {kind.status}, `retry: {kind.retry}`{wait}. {kind.when}"
    yield from ("", f"**What to do.** {kind.what_to_do}")
