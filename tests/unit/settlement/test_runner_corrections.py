"""A later file of a day corrects the day; a person or a file closes a discrepancy."""

from msgspec import structs

from shared.ports.documents import DocumentKind
from shared.settlement.matching import ONE_DAY
from tests.archive import bill
from tests.unit.settlement.settled import DAY, MORNING, NEXT, balanced, days_begun, only, sell, settle, spoil, world_at


def test_a_discrepancy_stays_open_in_later_reports_until_a_person_closes_it():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    settle(world)
    (found,) = world.discrepancies
    assert (found["kind"], found["status"], found["closure"], found["day"]) == ("amount_differs", "open", None, "2026-05-01")
    assert [one["id"] for one in world.days["live-2026-05-02"]["discrepancies"]] == [found["id"]]
    close(world, found)
    assert only(settle(world, DAY))["status"] == "balanced"
    assert world.days["live-2026-05-01"]["discrepancies"][0]["status"] == "accepted"
    assert only(settle(world, NEXT))["discrepancies"] == []


def close(world, found):
    key = DocumentKind.DISCREPANCIES, f"live-{found['id']}"
    closure = {"decision": "accepted", "note": "a cent", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}
    body = {**found, "status": "accepted", "closure": closure}
    world.papers[key] = structs.replace(world.papers[key], body=body, mark=None, revision="closed")


def test_a_later_file_of_the_day_is_a_correction_and_closes_what_it_no_longer_shows():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    assert settle(world).days[0]["status"] == "discrepancies"
    corrected = world.deliver(DAY, bill(sale), stamp="20260503120000")
    body = settle(world).days[0]
    assert (body["status"], body["version"], body["file"]["name"]) == ("balanced", 2, corrected)
    assert world.days["live-2026-05-01-v0001"]["status"] == "discrepancies"
    (found,) = world.discrepancies
    assert (found["status"], found["closure"]["by"]) == ("corrected", "settlement")


def test_the_same_bytes_under_another_name_change_nothing():
    world = world_at(MORNING + 2 * ONE_DAY)
    sales = balanced(world)
    first = settle(world, DAY)
    world.written = 0
    world.deliver(DAY, *map(bill, sales), stamp="20260503120000")
    assert settle(world, DAY) == first and world.written == 0


def test_a_file_that_was_corrected_under_its_name_is_news_although_its_day_has_ended():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    name = world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    assert settle(world).days[0]["status"] == "discrepancies"
    assert world.deliver(DAY, bill(sale)) == name
    body = settle(world).days[0]
    assert (body["day"], body["status"], body["version"]) == ("2026-05-01", "balanced", 2)
    world.written = 0
    settle(world)
    assert world.written == 0


def test_a_broken_file_that_was_mended_under_its_name_is_news_to_the_day_before():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    name = world.deliver(NEXT)
    whole = world.shelf.files[name]
    spoil(world, name)
    assert only(settle(world, DAY))["status"] == "provisional"
    world.shelf.files[name] = whole
    settle(world, NEXT)
    assert world.days["live-2026-05-01"]["status"] == "balanced"


def test_a_day_settled_by_file_names_alone_is_settled_once_more_after_all_new_files():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    name = world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    settle(world)
    for (kind, paper_id), paper in world.papers.items():
        if paper_id.endswith("-run"):
            named = {day: known.partition("/")[0] for day, known in paper.body["files"].items()}
            world.papers[kind, paper_id] = structs.replace(paper, body={**paper.body, "files": named})
    assert world.deliver(DAY, bill(sale)) == name
    world.deliver(NEXT + ONE_DAY)
    begun = days_begun(world)
    assert begun == ["2026-05-02", "2026-05-03", "2026-05-01"]
    assert world.days["live-2026-05-01"]["status"] == "balanced"
    assert days_begun(world) == ["2026-05-03"]  # which had carried what has been closed since
    world.written = 0
    assert days_begun(world) == ["2026-05-03"] and world.written == 0


def test_a_discrepancy_that_was_gone_and_is_back_is_open_again():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    wrong, right = bill(sale, amount="10001"), bill(sale)
    world.deliver(NEXT)
    for stamp, line, status in (("1", wrong, "open"), ("2", right, "corrected"), ("3", wrong._replace(units="1"), "open")):
        world.deliver(DAY, line, stamp=f"2026050306000{stamp}")
        settle(world, DAY)
        (found,) = world.discrepancies
        assert (found["status"], found["closure"] is None) == (status, status == "open")


def test_a_file_that_is_gone_closes_no_discrepancy():
    world = world_at(MORNING + 2 * ONE_DAY)
    name = world.deliver(DAY, bill(sell(world), amount="10001"))
    settle(world, DAY)
    del world.shelf.files[name]
    assert only(settle(world, DAY))["file"] is None
    (found,) = world.discrepancies
    assert (found["status"], found["closure"]) == ("open", None)
