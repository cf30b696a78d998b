"""The simulated supplier on a socket of this machine: `python -m local.supplier --port 9000`.

Besides the supplier's own paths it has two for a person or a test: `GET /_control/vends`, all that was vended, and
`POST /_control/faults`, a JSON array of faults for the next calls: `[{"effect": "reply-lost", "on": "purchase"}]`.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, get_args

import msgspec
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.mobilemart.simulator import STANDARD, Behaviour, Fault, MemoryLedger, RepeatedRequestId, ReprintBy, Simulator

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
                return Response(msgspec.json.encode(await self.simulator.vends()), media_type="application/json")
            case "POST", "faults":
                try:
                    faults = msgspec.json.decode(await request.body(), type=list[Fault])
                except msgspec.DecodeError as error:
                    return Response(f"{error}\n", 400, media_type="text/plain")
                self.simulator.script(*faults)
                return Response(status_code=204)
            case _:
                return Response(status_code=404)


def server(app: ASGIApp, port: int) -> uvicorn.Server:
    """A server on this machine only. It writes no access log: queries carry meter numbers."""
    return uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, access_log=False, log_level="critical", lifespan="off"))


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """`app` on a free port, as long as the block runs. Gives its base address."""
    running = server(app, 0)
    task = asyncio.create_task(running.serve())
    try:
        while not running.started:
            await asyncio.sleep(0.005)
            if task.done():
                await task
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://{HOST}:{port}"
    finally:
        running.force_exit = running.should_exit = True
        await task


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m local.supplier", description="The simulated supplier on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--unmarked", action="store_true", help="answers do not say that they are simulated: plays a live switch")
    parser.add_argument("--reprint-by", choices=get_args(ReprintBy), default=STANDARD.reprint_by)
    parser.add_argument("--repeated-request-id", choices=get_args(RepeatedRequestId), default=STANDARD.repeated_request_id)
    parser.add_argument("--answer-seconds", type=float, default=STANDARD.answer_seconds, help="how long every answer takes")
    parser.add_argument("--late-seconds", type=float, default=STANDARD.late_seconds, help="how late a late answer is")
    options = parser.parse_args(arguments)
    behaviour = Behaviour(
        marked=not options.unmarked,
        reprint_by=options.reprint_by,
        repeated_request_id=options.repeated_request_id,
        answer_seconds=options.answer_seconds,
        late_seconds=options.late_seconds,
    )
    simulator = Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: datetime.now(UTC))
    print(f"simulated supplier on http://{HOST}:{options.port}", flush=True)
    server(Supplier(simulator), options.port).run()


if __name__ == "__main__":
    main()
