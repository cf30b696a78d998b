"""The whole system in one process: the three functions behind one port, under their names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from functions_framework.aio import create_asgi_app
from starlette.applications import Starlette
from starlette.routing import Mount

from shared import wiring

FUNCTIONS: Final = Path(__file__).parent.parent / "functions"


def app() -> Starlette:
    """Every function, loaded as the platform loads it, over one wiring from the environment's configuration.

    Raises:
        ConfigError: naming every fault.
    """
    wired = wiring.configure("local")

    @asynccontextmanager
    async def alive(_app: Starlette) -> AsyncIterator[None]:
        yield
        await wired.close()

    mains = {main.parent.name: str(main) for main in sorted(FUNCTIONS.glob("*/main.py"))}
    framed = [Mount(f"/{name}", create_asgi_app(name, main, "http")) for name, main in mains.items()]  # type: ignore[no-untyped-call]
    return Starlette(routes=framed, lifespan=alive)
