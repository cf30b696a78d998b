"""Jobs that run by themselves elsewhere: the scheduler's sweep, and the supplier's settlement file of the day."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from shared.bootstrap import Wiring
from shared.domain.clock import BUSINESS_TIME, business_day
from shared.lib import logs
from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator.database import Database, Vend
from shared.mobilemart.simulator.settlement import MERCHANT, day_file
from shared.web import backoffice, middleware

SWEEP_SECONDS: Final = 3

log = logs.logger(__name__)


async def sweep_for_ever(wired: Wiring) -> None:
    """Sweep every few seconds. A failure is logged, and the next sweep tries again."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            sweeping = await wired.sweeping()
            await sweeping.sweep(sweeping.recorder.deadline())
        except Exception as error:
            log.error("sweep failed", cause=error)


async def settle_today(request: Request, wired: Wiring) -> Response:
    """Deliver the settlement file of today's vends, with one line changed for each `plant`, and settle the day with it.

    Raises:
        Problem: as `backoffice.settled_day` raises it, if another file in the folder conflicts.
        StoreUnavailable: the store did not answer.
    """
    settling, ports = await wired.settling(), await wired.ports()
    at = settling.recorder.now()
    vends = [vend for vend in await Database(ports.ledger).vends() if business_day(vend.at) == business_day(at)]
    try:
        plants = dict(enumerate(map(Plant, request.query_params.getlist("plant"))))
    except ValueError:
        return _refused(f"plant must be one of {', '.join(Plant)}")
    if len(plants) > len(vends):
        return _refused(f"{len(plants)} faults need as many sales of today, and there are {len(vends)}")
    name = _delivered(wired, vends, plants, at)
    day = await backoffice.settled_day(settling, business_day(at))
    report = f"/reconcile/reports/{business_day(at)}.html"
    return middleware.answer({"file": name, "report": report, "days": [day]}, headers={"Location": report})


def _delivered(wired: Wiring, vends: list[Vend], plants: dict[int, Plant], at: datetime) -> str:
    """Write the file into the folder of the supplier's files, and return its name."""
    assert wired.config.settlement_files is not None  # `make run` names a folder
    folder = Path(unquote(urlsplit(wired.config.settlement_files).path))
    folder.mkdir(parents=True, exist_ok=True)
    made = at.astimezone(BUSINESS_TIME)
    name = f"FULCRUM.MERCHANT.{MERCHANT}.RECON.{made:%Y%m%d%H%M%S}{made.microsecond // 1000:03d}.txt"
    (folder / name).write_bytes(b"".join(day_file(business_day(at), vends, plants)))
    return name


def _refused(why: str) -> Response:
    return Response(f"{why}\n", 400, media_type="text/plain")
