"""Every link between the project's pages leads somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import Page
from tests.root import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


def faults(page: Page) -> list[str]:
    """The links of a page that lead nowhere."""
    return [link for link in page.links if not urlsplit(link).scheme and not leads_somewhere(page, link)]


def leads_somewhere(page: Page, link: str) -> bool:
    target = urlsplit(link)
    path = page.path.parent / unquote(target.path)
    if target.path and not (ROOT / path).exists():
        return False
    there = Page.read(str(path)) if target.path.endswith(".md") else page
    return not target.fragment or target.fragment in there.anchors


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(name):
    assert faults(Page.read(name)) == []


def test_a_link_that_leads_nowhere_is_seen():
    good = "# One `two` (three)\n[a](#one-two-three) [b](../README.md) [c](https://example.com/none) `[d](none)`\n```sh\n[e](none)\n```\n"
    bad = "[f](#none) [g](none.md) ![h](none.png) [i](../README.md#none)\n"
    assert faults(Page(Path("docs/page.md"), good + bad)) == ["#none", "none.md", "none.png", "../README.md#none"]
