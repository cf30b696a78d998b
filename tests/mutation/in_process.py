"""A function as `tests.functions.running` runs it, but in this process, where a mistake can be planted in it."""

import logging
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from functions_framework.aio import create_asgi_app
from starlette.applications import Starlette
from starlette.routing import Mount

from shared import bootstrap
from shared.config import Function, load
from shared.lib import logs
from tests.root import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have another library beneath it
    from starlette.testclient import TestClient

ADDRESS: Final = "http://127.0.0.1:9"  # where nobody listens: nothing of it goes over a socket


@contextmanager
def opened(name: str, **environ: str) -> Iterator[tuple[TestClient, Path]]:
    """A client of the function while it lives, and the file of what is logged meanwhile."""
    wired = bootstrap.Wiring(load(environ, name))

    @asynccontextmanager
    async def alive(_app: Starlette) -> AsyncIterator[None]:
        yield
        await wired.close()

    framed = Mount("/", _loaded(name, ROOT / "functions" / name / "main.py", wired))
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        heard = logging.FileHandler(said)
        heard.setFormatter(logs.JsonFormatter())
        ours = logging.getLogger("gateway")
        ours.addHandler(heard)
        try:
            with TestClient(Starlette(routes=[framed], lifespan=alive), ADDRESS, raise_server_exceptions=False) as client:
                yield client, said
        finally:
            ours.removeHandler(heard)


def _loaded(name: str, main: Path, wired: bootstrap.Wiring) -> Starlette:
    """The function's own code, over this wiring, as if it were the one of all functions in one process."""
    bootstrap._processes[Function.LOCAL] = wired
    try:
        return create_asgi_app(name, str(main), "http")
    finally:
        del bootstrap._processes[Function.LOCAL]
