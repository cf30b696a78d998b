"""What a newer version has put on record of settled days is carried by this one, and closed by people only."""

import json
from contextlib import suppress

import pytest

from tests.deployed.shop import ONE_DAY, Shop, own
from tests.deployed.test_evidence_revisions import NEWER, Document, everywhere, paper, write_paper

# Discrepancies of a newer kind.


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "float_drained"},
        {"kind": "float_drained", "severity": "catastrophic"},
        {"kind": "amount_differs", "severity": "catastrophic"},
        {"kind": "float_drained", "newer": NEWER, "ours": {"newer": NEWER}, "theirs": None},
        {"kind": "float_drained", "status": "escalated"},
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_a_discrepancy_of_a_newer_kind_is_carried_and_never_closed_by_the_machine(shop: Shop, changes: Document, before: int) -> None:
    day = shop.fresh_day()
    first, second = shop.buy(), shop.buy()
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(day, [first.vend.line(amount="10001"), second.vend])
    shop.deliver(day + ONE_DAY, [control.vend])
    [found] = own(shop.settle(day))
    held = paper(shop, f"live-{found['id']}")
    newer_id = f"{day.toordinal():08x}{'0' * 24}"
    of = day - before * ONE_DAY
    newer = {**held, **changes, "id": newer_id, "day": of.isoformat()}
    write_paper(shop, "discrepancies", f"live-{newer_id}", newer, "live-open")
    shop.deliver(day, [first.vend, second.vend], "0600")
    try:
        settled = shop.settle(day)
        assert shop.settle_all()["refused"] == []
        if changes["kind"] != "amount_differs":  # which this version can look for itself
            assert paper(shop, f"live-{newer_id}")["status"] == newer["status"]
        assert paper(shop, f"live-{newer_id}")["kind"] == changes["kind"]
        assert settled["day"] == day.isoformat()
        report = shop.report(day)
        assert "float_drained" in json.dumps(report) or changes["kind"] != "float_drained"
        for form in ("csv", "html"):
            assert shop.reconcile.http.get(f"/reports/{day}.{form}").is_success
        if "status" not in changes and changes["kind"] != "amount_differs":
            shop.close({"id": newer_id})
    finally:
        with shop.books() as books:
            books.execute("DELETE FROM papers WHERE id = ?", (f"live-{newer_id}",))


def test_a_settled_day_of_a_newer_version_is_read(shop: Shop) -> None:
    day = shop.fresh_day()
    sale = shop.buy()
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(day, [sale.vend])
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    for paper_id in (f"live-{day}", f"live-{day}-run", f"live-{day}-v0001"):
        with suppress(ValueError):
            body = everywhere(paper(shop, paper_id))
            if paper_id.endswith("run"):
                body["files"].pop("newer")  # which maps days to files
                body["healed"] = [[*one, "newer"] for one in body["healed"]]
            mark = "live-ended" if paper_id == f"live-{day}" else None
            write_paper(shop, "settlements", paper_id, body, mark)
    shop.deliver(day, [sale.vend.line(amount="10001")], "0600")
    settled = shop.settle(day)
    assert [found["kind"] for found in own(settled)] == ["amount_differs"]
    assert shop.report(day)["day"] == day.isoformat()
    assert shop.reconcile.http.get("/reports").is_success
