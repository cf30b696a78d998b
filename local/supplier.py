"""The simulated supplier on a socket of this machine: `python -m local.supplier --port 9000`.

Beside the supplier's own paths there are three for a person or a test:
- `GET /_control/vends`: all vends.
- `POST /_control/faults`: a JSON array of faults for the next calls: `[{"effect": "reply-lost", "on": "purchase"}]`.
- `GET /_control/settlement-file?day=2026-05-01`: the supplier's bill for that day.

Each `&plant=3:missing` on the last path plants a fault in the line of that vend, by its position.
"""

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Final, get_args

import msgspec
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator import (
    STANDARD,
    Behaviour,
    MemoryLedger,
    MobileNumbers,
    RepeatedRequestId,
    ReprintBy,
    Simulator,
    SwitchFault,
    Vend,
)
from shared.mobilemart.simulator.settlement import day_file, day_file_name

HOST: Final = "127.0.0.1"
CONTROL: Final = "/_control/"


class Supplier:
    """A simulator with its control paths."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(CONTROL):
            await (await self._control(Request(scope, receive)))(scope, receive, send)
        else:
            await self.simulator(scope, receive, send)

    async def _control(self, request: Request) -> Response:
        match request.method, request.url.path.removeprefix(CONTROL):
            case "GET", "vends":
                return Response(msgspec.json.encode([_shown(vend) for vend in await self.simulator.vends()]), media_type="application/json")
            case "GET", "settlement-file":
                try:
                    day = date.fromisoformat(request.query_params["day"])
                    plants = dict(_plant(text) for text in request.query_params.getlist("plant"))
                except (KeyError, ValueError):
                    return Response("day=YYYY-MM-DD, and any number of plant=POSITION:FAULT\n", 400, media_type="text/plain")
                return settlement_file(day, await self.simulator.vends(), plants)
            case "POST", "faults":
                try:
                    faults = msgspec.json.decode(await request.body(), type=list[SwitchFault])
                except msgspec.DecodeError as error:
                    return Response(f"{error}\n", 400, media_type="text/plain")
                self.simulator.script(*faults)
                return Response(status_code=204)
            case _:
                return Response(status_code=404)


def settlement_file(day: date, vends: Sequence[Vend], plants: Mapping[int, Plant]) -> Response:
    """Return a day's settlement file of these vends, to be saved under its delivery name."""
    name = day_file_name(day, vends, datetime.now(UTC))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(b"".join(day_file(day, vends, plants)), headers=headers, media_type="text/plain")


def _plant(text: str) -> tuple[int, Plant]:
    position, _, plant = text.partition(":")
    return int(position), Plant(plant)


def _shown(vend: Vend) -> dict[str, object]:
    """Return a vend's record, with the values that tests most often read."""
    said = {"vas_type": vend.vas_type, "amount_cents": vend.amount_cents, "recipient": vend.recipient}
    return {**said, **msgspec.to_builtins(vend)}


class Server(uvicorn.Server):
    """`app` on a port of this machine, a free one if it is 0. `started` receives its base address.

    The server writes no access log: queries hold meter numbers.
    """

    def __init__(self, app: ASGIApp, port: int, started: Callable[[str], object]) -> None:
        super().__init__(
            uvicorn.Config(app, host=HOST, port=port, access_log=False, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._started(f"http://{HOST}:{self.servers[0].sockets[0].getsockname()[1]}")


def _is_no_cut(record: logging.LogRecord) -> bool:
    """Whether a record is worth reading. A connection that the simulator cuts on purpose is not."""
    return record.msg != "ASGI callable returned without completing response."


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on a port of this machine, a free one if it is 0, while the block runs. Yield its base address."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = Server(app, port, address.set_result)
    running = asyncio.create_task(server.serve())
    try:
        yield await address
    finally:
        server.force_exit = server.should_exit = True
        await running


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m local.supplier", description="The simulated supplier on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=9000, help="0 for a free one")
    parser.add_argument("--unmarked", action="store_true", help="answers do not say that they are simulated: plays a live switch")
    parser.add_argument("--reprint-by", choices=get_args(ReprintBy), default=STANDARD.reprint_by)
    parser.add_argument("--reprint-without-tokens", action="store_true", help="a reprint shows the sale, and not what it delivered")
    parser.add_argument("--prevend-valid-seconds", type=float, default=STANDARD.prevend_valid_seconds)
    parser.add_argument("--prevend-used-often", action="store_true", help="a prevend is good for any number of purchases")
    parser.add_argument("--repeated-request-id", choices=get_args(RepeatedRequestId), default=STANDARD.repeated_request_id)
    parser.add_argument("--mobile-numbers", choices=get_args(MobileNumbers), default=STANDARD.mobile_numbers)
    parser.add_argument(
        "--processing-seconds", type=float, default=STANDARD.processing_seconds, help="when a sale that is being processed is carried out"
    )
    parser.add_argument("--answer-seconds", type=float, default=STANDARD.answer_seconds, help="how long every answer takes")
    parser.add_argument("--late-seconds", type=float, default=STANDARD.late_seconds, help="how late a late answer is")
    options = parser.parse_args(arguments)
    behaviour = Behaviour(
        marked=not options.unmarked,
        reprint_by=options.reprint_by,
        reprint_shows_tokens=not options.reprint_without_tokens,
        prevend_valid_seconds=options.prevend_valid_seconds,
        prevend_used_once=not options.prevend_used_often,
        repeated_request_id=options.repeated_request_id,
        mobile_numbers=options.mobile_numbers,
        processing_seconds=options.processing_seconds,
        answer_seconds=options.answer_seconds,
        late_seconds=options.late_seconds,
    )
    simulator = Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: datetime.now(UTC))
    with suppress(KeyboardInterrupt):  # the usual end
        Server(Supplier(simulator), options.port, lambda base_url: print(_greeting(base_url, behaviour), flush=True)).run()


def _greeting(base_url: str, behaviour: Behaviour) -> str:
    """The address, and for a person at a terminal the credentials. They open nothing else, but no log holds a secret."""
    where = f"simulated supplier on {base_url}"
    if not sys.stdout.isatty():
        return where
    return f"{where}\nPROBE_CLIENT_ID={behaviour.client_id} PROBE_CLIENT_SECRET={behaviour.client_secret}"


if __name__ == "__main__":
    main()
