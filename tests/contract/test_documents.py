"""Documents, small and on both stores alike."""

import pytest

from shared.ports.documents import Conflict, Document, DocumentKind
from shared.store import firestore as firestore_module
from shared.store import sqlite as sqlite_module
from tests.contract.records import outcomes

DAY = Document("live-2026-05-01", {"day": "2026-05-01", "matched": {"rows": 3, "totalCents": 30_000}, "note": "Zoë 🙂"}, "live")


async def marked(store, kind, mark, from_id=None):
    return [paper async for paper in store.marked_papers(kind, mark, from_id)]


async def test_a_document_is_read_as_it_was_written(store):
    written = await store.write_paper(DocumentKind.SETTLEMENTS, DAY)
    found = await store.read_paper(DocumentKind.SETTLEMENTS, DAY.id)
    assert found == DAY and found.revision == written.revision is not None
    assert await store.read_paper(DocumentKind.DISCREPANCIES, DAY.id) is None
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2026-05-02") is None


async def test_a_document_is_replaced_only_as_it_was_read(store):
    first = await store.write_paper(DocumentKind.SETTLEMENTS, DAY)
    second = await store.write_paper(DocumentKind.SETTLEMENTS, Document(DAY.id, {"day": "2"}, revision=first.revision))
    for stale in (first, DAY):
        with pytest.raises(Conflict):
            await store.write_paper(DocumentKind.SETTLEMENTS, stale)
    assert await store.read_paper(DocumentKind.SETTLEMENTS, DAY.id) == second


async def test_sixteen_writers_of_one_document_have_one_winner(store):
    results = await outcomes(*(store.write_paper(DocumentKind.CONTROLS, Document("live-selling", {"n": number})) for number in range(16)))
    assert results == {"Document": 1, "Conflict": 15}


async def test_documents_are_listed_by_their_index_key_in_the_order_of_their_ids(store):
    for number, mark in ((3, "live-open"), (1, "live-open"), (2, "simulated-open"), (4, None)):
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"d-{number}", {"n": number}, mark))
    listed = await marked(store, DocumentKind.DISCREPANCIES, "live-open")
    assert [paper.body["n"] for paper in listed] == [1, 3]
    await store.write_paper(DocumentKind.DISCREPANCIES, Document("d-1", {"n": 1}, revision=listed[0].revision))
    assert [paper.id for paper in await marked(store, DocumentKind.DISCREPANCIES, "live-open")] == ["d-3"]


async def test_documents_are_listed_from_an_id_on(store):
    for day in ("2026-04-30", "2026-05-01", "2026-05-02"):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}", {}, "live"))
    for first in ("live-2026-05-01", "live-2026-04-30-v0001"):  # whether or not one has that id
        listed = await marked(store, DocumentKind.SETTLEMENTS, "live", first)
        assert [paper.id for paper in listed] == ["live-2026-05-01", "live-2026-05-02"]


@pytest.mark.parametrize("page", [1, 3, 7, 8])
async def test_documents_are_listed_page_by_page_once_each_even_if_their_index_key_goes(store, monkeypatch, page):
    for module in (firestore_module, sqlite_module):
        monkeypatch.setattr(module, "PAPERS_PAGE", page)
    for number in range(7):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{number}", {}, "live"))
    listed = []
    async for paper in store.marked_papers(DocumentKind.SETTLEMENTS, "live", "live-1"):
        listed.append(paper.id)
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(paper.id, {}, revision=paper.revision))
    assert listed == [f"live-{number}" for number in range(1, 7)]
    assert [paper.id for paper in await marked(store, DocumentKind.SETTLEMENTS, "live")] == ["live-0"]


async def test_two_documents_in_one_commit_are_both_written_or_neither(store):
    first = await store.write_paper(
        DocumentKind.CONTROLS, Document("live-selling", {"n": 1}), Document("live-selling-1", {"n": 1}, "live-selling")
    )
    assert await store.read_paper(DocumentKind.CONTROLS, "live-selling") == first
    for paper, beside in (
        (Document("live-selling", {"n": 2}), Document("live-selling-2", {"n": 2}, "live-selling")),  # the first was there
        (
            Document("live-selling", {"n": 2}, revision=first.revision),
            Document("live-selling-1", {"n": 2}, "live-selling"),
        ),  # the other was there
    ):
        with pytest.raises(Conflict):
            await store.write_paper(DocumentKind.CONTROLS, paper, beside)
    assert await store.read_paper(DocumentKind.CONTROLS, "live-selling") == first
    assert [paper.body for paper in await marked(store, DocumentKind.CONTROLS, "live-selling")] == [{"n": 1}]
