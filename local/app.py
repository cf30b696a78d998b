"""The whole system in one process: the three functions behind one port, under their names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from functions_framework.aio import create_asgi_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from local import background_jobs, page
from shared import bootstrap
from shared.domain.vas import Mode
from shared.web import middleware

EVERY_METHOD: Final = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")  # the answer names those that exist
FUNCTIONS: Final = Path(__file__).parent.parent / "functions"


def app() -> Starlette:
    """Load every function as the platform does, over one wiring from the environment's configuration.

    Raises:
        SystemExit: the configuration is refused; the message names every fault.
    """
    wired = bootstrap.configure("local")

    @asynccontextmanager
    async def alive(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(background_jobs.sweep_for_ever(wired))
        yield
        sweeping.cancel()
        await asyncio.wait([sweeping])
        await wired.close()

    @middleware.handle_errors(wired.config)
    async def settle(request: Request) -> Response:
        return await background_jobs.settle_today(request, wired)

    @middleware.handle_errors(wired.config)
    async def problems(request: Request) -> Response:
        return middleware.problem_documentation(request)

    mains = {main.parent.name: str(main) for main in sorted(FUNCTIONS.glob("*/main.py"))}
    framed = [Mount(f"/{name}", create_asgi_app(name, main, "http")) for name, main in mains.items()]  # type: ignore[no-untyped-call]
    simulated = [Route("/local/settle", settle, methods=["POST"]), *page.routes(wired.config.exchange_timeout_seconds)]
    ours = simulated if wired.config.mode is Mode.SIMULATED else []
    types = [Route(path, problems, methods=EVERY_METHOD) for path in ("/problems", "/problems/{name}")]  # a problem's `type`
    return Starlette(routes=[*ours, *types, *framed], lifespan=alive)
