"""The page for those who carry on the work names what there is, all of it and nothing else."""

import re
from pathlib import Path

import grimp
import pytest

from shared.domain.transaction import NEXT, State
from tests.docs.pages import Page, quoted, rows
from tests.root import ROOT

PAGE = Page.read("docs/architecture.md")
ROOMS = PAGE.headings_below("The house")
DIAGRAM = re.compile(r"^ *(\S+) --> (\w+|\[\*\])", re.MULTILINE)


def named(room):
    return [name for row in rows(PAGE.below(room)) for name in quoted(row[0])]


def there(room):
    """The modules in a folder, and its folders with code or pages in them that are no room of their own."""
    inside = [path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix in (".py", ".html", ".css", ".js")]
    below = {
        path.relative_to(ROOT / room)
        for path in inside
        if not any(is_in(path, other) for other in ROOMS if other != room and other.startswith(room))
    }
    return {str(path) if len(path.parts) == 1 else f"{path.parts[0]}/" for path in below} - {"__init__.py"}


def is_in(path: Path, room: str) -> bool:
    return path.is_relative_to(ROOT / room)


def test_every_folder_of_code_is_a_room():
    assert {room.split("/")[0] for room in ROOMS} == {"shared", "functions", "local", "bench"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_room_is_named_once_and_no_other_is(room):
    assert sorted(named(room)) == sorted(there(room))


def test_the_folders_of_tests_are_named():
    folders = {f"tests/{path.name}/" for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {*named("How it is tested")} == folders


def test_the_diagram_of_states_is_the_table():
    (diagram,) = (body for _, body in PAGE.fences("mermaid") if body.startswith("stateDiagram"))
    drawn = set(DIAGRAM.findall(diagram))

    assert {(before, after) for before, after in drawn if "[*]" not in (before, after)} == {
        (str(before), str(after)) for before, nexts in NEXT.items() for after in nexts
    }
    assert {before for before, after in drawn if after == "[*]"} == {str(state) for state in State if not NEXT[state]}


def test_the_drawn_imports_are_those_of_the_code():
    (drawing,) = (body for _, body in PAGE.fences("mermaid") if body.startswith("flowchart TD"))
    lines = [line.split(" --> ") for line in drawing.splitlines() if "-->" in line]
    drawn = {(importer.strip(), imported) for importer, others in lines for imported in others.split(" & ")}
    graph = grimp.build_graph("shared")
    pairs = ((module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module))
    found = {(module.split(".")[1], other.split(".")[1]) for module, other in pairs if module != "shared" != other}
    assert drawn == {(importer, imported) for importer, imported in found if importer != imported and imported not in ("lib", "domain")}


def test_files_that_the_page_names_are_there():
    paths = {name for name in quoted(PAGE.prose) if re.fullmatch(r"(?:shared|functions|local|bench|tests|infra|docs)/[\w./-]+", name)}
    assert {path for path in paths if not (ROOT / path).exists()} == set()
