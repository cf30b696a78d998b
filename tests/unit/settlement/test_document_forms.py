"""The fields that a document of settling must hold to be read, and how newer code's fields are carried."""

from copy import deepcopy

import pytest

from shared.ports.documents import Document, DocumentKind, UnreadableRecord
from shared.settlement.document_forms import OPTIONAL, TERMS, Day, Difference, Listed, RefusedRuns, Runs, _about, read, readable, with_newer
from tests.step_driver import run

DAY = "2026-05-01"
FILE = {"rows": 3, "totalCents": 30_000, "name": "F.txt", "sha256": "ab"}
DIFFERENCE = {
    "status": "open",
    "closure": {"note": "seen"},
    "id": "d-1",
    "day": DAY,
    "kind": "amount_differs",
    "severity": "warning",
    "transactionId": "t-1",
    "ours": {"amountCents": 1},
    "theirs": {"amountCents": None},
}
TERM = {"rows": 1, "cents": 2}
EQUATION = (
    *("fileSuccessful", "ourVended", "carriedOut", "carriedIn", "missingHere", "billedThoughRejected"),
    *("extraLines", "missingAtSupplier", "differences", "residue"),
)
LISTED = {"day": DAY, "version": 1, "status": "balanced", "file": FILE}
SETTLED = {
    **LISTED,
    "matched": {"rows": 1, "totalCents": 2},
    "carriedOut": [{"transactionId": "t-1", "soldOn": DAY}],
    "carriedIn": [{"transactionId": "t-2", "soldOn": DAY}],
    "discrepancies": [DIFFERENCE],
    "conservation": [{"vasType": "utility", **dict.fromkeys(EQUATION, TERM)}],
    "healed": [{"transactionId": "t-1"}],
    "open": [{"transactionId": "t-1"}],
    "tokensToRecover": [{"transactionId": "t-1"}],
    "notReadable": [{"transactionId": "t-1", "requestId": None, "vasType": "data", "amountCents": 5}],
    "leftOut": {"open": 3},
}
REFUSAL = {
    "day": DAY,
    "file": "F.txt",
    "mark": "m",
    "reason": "faults",
    "faults": [{"line": 3, "message": "wrong", "field": 2, "name": None}],
    "unread": "",
}
RUNS = {
    "healed": [["t-1", 7]],
    "files": {"a": "b"},
    "refused": ["m"],
    "earlier": ["e"],
    "beyond": [DAY],
    "lacking": {"rows": 1, "cents": 2, "lines": [["a", "b", 3]], "unlisted": False},
    "refusal": REFUSAL,
}
FORMS = {"day": (Day, SETTLED), "listed": (Listed, LISTED), "difference": (Difference, DIFFERENCE), "runs": (Runs, RUNS)}
FORMS["refused"] = (RefusedRuns, {"refusal": REFUSAL})
MAY_BE_MISSING = {"closure", "notReadable", "leftOut", "earlier", "beyond", "lacking", "refusal", "amountCents"}


def paths(part, path=()):
    """Every field of a document, and every entry of its lists."""
    for name, item in part.items() if isinstance(part, dict) else enumerate(part):
        yield (*path, name)
        if isinstance(item, dict | list):
            yield from paths(item, (*path, name))


def changed(body, path, change):
    made = deepcopy(body)
    *above, name = path
    part = made
    for step in above:
        part = part[step]
    change(part, name)
    return made


def is_read(form, body):
    try:
        return read(DocumentKind.SETTLEMENTS, Document("live-1", body, revision="7"), form).body == body
    except UnreadableRecord as unreadable:
        return None if unreadable.revision != "7" else False  # by that it can be written over


def is_optional(which, path):
    return path[-1] in MAY_BE_MISSING - ({"amountCents"} if "notReadable" in path else set()) - (
        {"refusal"} if which == "refused" else set()
    )


@pytest.mark.parametrize("which", FORMS)
def test_a_document_is_read_that_holds_all_that_its_form_asks_for_and_any_more(which, caplog):
    form, whole = FORMS[which]
    assert is_read(form, whole) and not caplog.records
    for path in [(), *paths(whole)]:
        part = whole
        for step in path:
            part = part[step]
        if isinstance(part, dict):
            more = {**part, "of newer code": {"x": 1}} if path != ("files",) and path != ("leftOut",) else part
            assert is_read(form, more if path == () else changed(whole, path, lambda above, name, more=more: above.__setitem__(name, more)))


@pytest.mark.parametrize("which", FORMS)
def test_a_document_that_lacks_a_field_is_damaged_which_is_reported(which, caplog):
    form, whole = FORMS[which]
    lacking = [path for path in paths(whole) if isinstance(path[-1], str) and path[:-1] not in (("files",), ("leftOut",), ("closure",))]
    assert len(lacking) >= 4
    for path in lacking:
        if "closure" in path[:-1]:
            continue
        caplog.clear()
        assert is_read(form, changed(whole, path, lambda part, name: part.pop(name))) is is_optional(which, path), path
        told = [line.fields for line in caplog.records]
        assert told == ([] if is_optional(which, path) else [{"kind": DocumentKind.SETTLEMENTS, "paper_id": "live-1"}])


@pytest.mark.parametrize("which", FORMS)
def test_a_field_that_is_of_no_kind_the_form_knows_is_damage(which):
    form, whole = FORMS[which]
    for path in paths(whole):
        if path[:-1] in (("closure",), ("discrepancies", 0, "closure")) or (path[:1] == ("healed",) and len(path) == 3 and which == "runs"):
            continue
        assert is_read(form, changed(whole, path, lambda part, name: part.__setitem__(name, b"bytes"))) is False, path


def test_of_listed_documents_those_that_can_be_read_are_given(caplog):
    async def papers():
        for number, body in enumerate((LISTED, {}, {**LISTED, "version": "one"}, LISTED)):
            yield Document(f"live-{number}", body)

    async def listed():
        return [paper.id async for paper in readable(DocumentKind.SETTLEMENTS, papers(), Listed)]

    assert run(listed()) == ["live-0", "live-3"] and len(caplog.records) == 2


def test_the_terms_of_the_equation():
    assert TERMS == EQUATION


# Fields of newer code


@pytest.mark.parametrize("name", ["alsoHeldBy", "leftOut", "notReadable", "refusal"])
def test_what_is_there_only_while_it_is_said_is_not_carried(name):
    assert name in OPTIONAL and len(OPTIONAL) == 4
    held = {name: {"a": 1, "new": 2}, "kept": 3}
    assert with_newer({}, held) == {"kept": 3}
    assert with_newer({name: {"a": 5}}, held) == {name: {"a": 5}, "kept": 3}


@pytest.mark.parametrize("name", ["id", "transactionId", "vasType"])
def test_an_entry_of_a_list_is_known_again_by_what_it_is_about(name):
    held = {"list": [{name: "one", "new": 1}, {name: "two", "new": 2}, {name: "gone", "new": 3}]}
    fresh = {"list": [{name: "two", "rows": 5}, {name: "fresh"}, {name: "one"}]}
    assert with_newer(fresh, held) == {"list": [{name: "two", "rows": 5, "new": 2}, {name: "fresh"}, {name: "one", "new": 1}]}


def test_maps_within_maps_carry_theirs_and_what_is_no_map_is_as_it_is_now():
    held = {"file": {"name": "old", "new": {"x": 1}}, "day": "old", "list": "text", "text": ["x"], "newer": [1]}
    fresh = {"file": {"name": "now"}, "day": "now", "list": [{"id": "a"}], "text": "now"}
    assert with_newer(fresh, held) == {**fresh, "file": {"name": "now", "new": {"x": 1}}, "newer": [1]}
    assert with_newer(fresh, None) == fresh and with_newer([{"id": "a"}], ["x", None]) == [{"id": "a"}]


@pytest.mark.parametrize(
    ("entry", "about"),
    [
        ({"id": "a", "transactionId": "b", "vasType": "c"}, "a"),
        ({"id": None, "transactionId": "b", "vasType": "c"}, "b"),
        ({"id": 7, "transactionId": None, "vasType": "c"}, "c"),
        *[(entry, None) for entry in ({}, {"name": "a"}, "id", None, ["id"], 7)],
    ],
)
def test_what_an_entry_is_about(entry, about):
    assert _about(entry) == about
