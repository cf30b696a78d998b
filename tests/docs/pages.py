"""The project's pages in Markdown, as far as questions are asked of them: headings and their anchors, links, tables, fences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Final

from tests.root import ROOT

_FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
_NOT_OF_A_SLUG: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Page:
    """One page, by its path below the project's root."""

    path: Path
    text: str

    @classmethod
    def read(cls, name: str) -> "Page":
        return cls(Path(name), (ROOT / name).read_text())

    @cached_property
    def prose(self) -> str:
        """The page without its fenced parts, in which a `#` begins a comment and a bracket is code."""
        return _FENCE.sub("", self.text)

    @cached_property
    def headings(self) -> list[Heading]:
        return [Heading(len(marks), text) for marks, text in _HEADING.findall(self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        """The names by which headings are linked to, as GitHub makes them."""
        slugs = [slug(heading.text) for heading in self.headings]
        return {name if not (nth := slugs[:at].count(name)) else f"{name}-{nth}" for at, name in enumerate(slugs)}

    @cached_property
    def links(self) -> list[str]:
        """The targets of links and pictures."""
        return _LINK.findall(re.sub(r"`[^`\n]*`", "", self.prose))

    def below(self, heading: str) -> str:
        """The prose below the one heading of that text, up to the next of its level or a higher one."""
        (found,) = (match for match in _HEADING.finditer(self.prose) if match[2] == heading)
        rest = self.prose[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest

    def headings_below(self, heading: str) -> list[str]:
        """The headings one level further down."""
        return [text for marks, text in _HEADING.findall(self.below(heading)) if len(marks) == self._level(heading) + 1]

    def fences(self, *languages: str) -> Iterator[tuple[str, str]]:
        """Language and text of each fenced part in one of these languages, in order; without its indentation."""
        for fence in _FENCE.finditer(self.text):
            if fence["language"] in languages:
                yield fence["language"], dedent(fence["body"])

    def _level(self, heading: str) -> int:
        return next(one.level for one in self.headings if one.text == heading)


def slug(heading: str) -> str:
    return _NOT_OF_A_SLUG.sub("", heading.lower()).replace(" ", "-")


def rows(prose: str) -> list[list[str]]:
    """The cells of every row of the tables in it, without headers."""
    lines = [line.strip() for line in prose.splitlines()]
    ruled = [at for at, line in enumerate(lines) if re.fullmatch(r"\|[-| ]+\|", line)]
    skipped = {*ruled, *(at - 1 for at in ruled)}
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for at, line in enumerate(lines) if line.startswith("|") and at not in skipped
    ]


def quoted(text: str) -> set[str]:
    """What stands between backticks in it."""
    return set(re.findall(r"`([^`]+)`", text))
