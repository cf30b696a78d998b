"""A settled day, and a world that stores its documents."""

from datetime import UTC, date, datetime, timedelta

from shared.domain.statement import Summary, Total
from shared.domain.vas import Mode
from shared.ports.documents import Document, DocumentKind
from shared.settlement.repository import DayPapers
from shared.settlement.settled_day import SettledDay, Status
from tests.step_driver import one_by_one

DAY = date(2026, 5, 1)
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
SETTLEMENTS, DISCREPANCIES = DocumentKind.SETTLEMENTS, DocumentKind.DISCREPANCIES
DAY_ID, RUN_ID = "live-2026-05-01", "live-2026-05-01-run"


def papers_of(world, mode=Mode.LIVE):
    return DayPapers(papers=world, mode=mode, each=one_by_one, now=lambda: world.now)


def a_day(of=DAY, **changed):
    lists = ("carried_out", "carried_in", "discrepancies", "conservation", "healed", "open", "tokens_to_recover")
    lists = dict.fromkeys((*lists, "signs", "proofs", "absent", "strangers"), ())
    known = {"day": of, "status": Status.PROVISIONAL, "file": Summary("f", "sha of f", Total(1, 900), {}), "matched": Total(1, 900)}
    return SettledDay(**{**lists, **known, **changed})


def put(world, kind, paper_id, body, mark=None):
    world.papers[kind, paper_id] = Document(paper_id, body, mark, revision=world.new_id())


def kept(world, kind=SETTLEMENTS):
    return {paper_id: (paper.body, paper.mark) for (of, paper_id), paper in world.papers.items() if of is kind}
