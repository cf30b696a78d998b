"""`make run`: the whole simulated system on this machine, with one demonstration purchase and its receipt."""

import argparse
import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import uvicorn

from local.receipt_printer import slip
from shared import bootstrap
from shared.domain.vas import Mode

HOST: Final = "127.0.0.1"
METER: Final = "12345678901"
LONGER_THAN_A_FUNCTION: Final = 300  # seconds
DEFAULTS: Final = {
    "ENVIRONMENT": "local",
    "MOBILEMART_LIVE_INTEGRATION": "false",
    "TRANSACTION_STORE": "sqlite:///.local/transactions.db",
    "RESOLVE_INTERVAL_SECONDS": "3",  # instead of 60: a doubt then ends while somebody watches the page
    "SETTLEMENT_FILES": (Path(".local") / "settlement").absolute().as_uri(),
}
NEXT_STEPS: Final = """\
Look at it: {url}

Buy another one:

  curl {url}/prevend/electricity -H 'Content-Type: application/json' \\
    -d '{{"meterNumber": "{meter}", "amountCents": 10000}}'

  curl {url}/purchase/electricity -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first' \\
    -d '{{"meterNumber": "{meter}", "amountCents": 20000}}'

  curl '{url}/purchase/transactions?idempotencyKey=my-first'

Lose an answer, and see it come back (the sweep looks every few seconds):

  curl {url}/purchase/electricity -H 'Content-Type: application/json' -H 'Idempotency-Key: my-lost' \\
    -d '{{"meterNumber": "99000000040", "amountCents": 10000}}'

Settle today with the supplier's file, and then with one that has faults; each answer names the day's report:

  curl -X POST {url}/local/settle
  curl -X POST '{url}/local/settle?plant=amount&plant=missing'

The same key again gives the same token and vends nothing. Other meters do other things: docs/simulated-mode.md
Serving on {url} until interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted, whether or not the demonstration sold. With `--once`, end after the demonstration.

    Raises:
        SystemExit: the configuration is refused, or sells for money; the port is in use; or `--once` sold nothing.
    """
    parser = argparse.ArgumentParser(prog="python -m local", description="The whole system on this machine, simulated.")
    parser.add_argument("--port", type=_port, default=8080)
    parser.add_argument("--once", action="store_true", help="end after the demonstration purchase")
    options = parser.parse_args(arguments)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if bootstrap.configure("local").config.mode is not Mode.SIMULATED:
        raise SystemExit("refused: MOBILEMART_LIVE_INTEGRATION is true, and what this buys to begin with would be sold for money: unset it")
    if os.environ["TRANSACTION_STORE"] == DEFAULTS["TRANSACTION_STORE"]:
        Path(".local").mkdir(exist_ok=True)
    if os.environ["SETTLEMENT_FILES"] == DEFAULTS["SETTLEMENT_FILES"]:
        (Path(".local") / "settlement").mkdir(parents=True, exist_ok=True)
    listener = _listener(options.port)
    from local.app import app

    server = uvicorn.Server(uvicorn.Config(app(), host=HOST, port=options.port, access_log=False, log_level="warning"))
    with suppress(KeyboardInterrupt):  # the usual end; the server has finished its work before the interrupt is raised
        sold = asyncio.run(_serve(server, listener, f"http://{HOST}:{options.port}", once=options.once))
        if options.once and not sold:
            raise SystemExit(1)


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65_536:
        raise argparse.ArgumentTypeError("must be from 1 to 65535")
    return number


def _listener(port: int) -> socket.socket:
    """Bind the port before the server starts: the server would report a port in use by ending its task, with a trace."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise SystemExit(f"cannot serve on {HOST}:{port}: {error.strerror}; --port names another (make run PORT={port + 1})") from None


class _NotSold(Exception):
    """The demonstration brought no receipt. The text gives the reason."""


async def _serve(server: uvicorn.Server, listener: socket.socket, url: str, *, once: bool) -> bool:
    """Serve, and return whether the demonstration sold."""
    sold = False
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
        if serving.done():
            await serving
            return sold
    try:
        print(slip(await _demonstration(url)))
        sold = True
    except _NotSold as why:
        print(f"The demonstration was not sold: {why}\n")
    if once:
        server.should_exit = True
    else:
        print(NEXT_STEPS.format(url=url, meter=METER), flush=True)
    await serving
    return sold


async def _demonstration(url: str) -> Mapping[str, Any]:
    """Buy electricity for R100.00, over HTTP like every caller. A demonstration that broke off here does not block it.

    Raises:
        _NotSold: the purchase was refused, or its outcome is not known yet.
    """
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=LONGER_THAN_A_FUNCTION) as http:
        try:
            prevend = _heard(await http.post("/prevend/electricity", json={"meterNumber": METER, "amountCents": 10_000}))
            order = {"prevendId": prevend["prevendId"], "reference": "demonstration", "allowDuplicate": True}
            sale = _heard(await http.post("/purchase/electricity", json=order, headers={"Idempotency-Key": str(uuid4())}))
        except httpx.TransportError as error:
            raise _NotSold(f"no answer ({type(error).__name__})") from None
    if sale["receipt"] is None:
        raise _NotSold(f"it is {sale['state']}, and is looked after like any other")
    return sale


def _heard(answer: httpx.Response) -> Mapping[str, Any]:
    said: Mapping[str, Any] = answer.json()
    if answer.is_success:
        return said
    raise _NotSold(f"{answer.status_code} {said['title']}: {said['detail']}")


if __name__ == "__main__":
    main()
