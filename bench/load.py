"""Callers that buy one after another, each over its own connection, and the answers that they received."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

AMOUNT_CENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """The answers within a number of seconds, and the values of `measure` before and after."""

    seconds: float
    latencies: list[float]
    before: float
    after: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile_ms(self, part: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1_000


@dataclass(slots=True)
class Load:
    """`callers` on the function at `port`, each with its own headers."""

    port: int
    callers: int
    headers: Callable[[int], Mapping[str, str]]
    _latencies: list[float] = field(default_factory=list)
    _ended: bool = False
    bought: int = 0

    def run(self, warm_up_seconds: float, seconds: float, measure: Callable[[], float]) -> Seen:
        """Buy, and count the answers after the warm-up."""
        return asyncio.run(self._run(warm_up_seconds, seconds, measure))

    async def _run(self, warm_up_seconds: float, seconds: float, measure: Callable[[], float]) -> Seen:
        callers = [asyncio.create_task(self._buy(number)) for number in range(self.callers)]
        await self._while_running(callers, warm_up_seconds)
        self._latencies.clear()
        began, before = time.perf_counter(), measure()
        await self._while_running(callers, seconds)
        seen = Seen(time.perf_counter() - began, list(self._latencies), before, measure())
        self._ended = True
        await asyncio.gather(*callers)
        if not seen.latencies:
            raise RuntimeError(f"nothing was answered to {self.callers} callers in {seconds} seconds: the machine is too busy to measure")
        return seen

    async def _while_running(self, callers: list[asyncio.Task[None]], seconds: float) -> None:
        done, _ = await asyncio.wait(callers, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for caller in done:
            caller.result()

    async def _buy(self, number: int) -> None:
        body = json.dumps({"meterNumber": f"99{number:09d}", "amountCents": AMOUNT_CENTS}).encode()
        fixed = {**self.headers(number), "Host": "function", "Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "POST /utility HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fixed.items())
        await asyncio.sleep(number / self.callers)  # callers must not fall into step
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while not self._ended:
            began = time.perf_counter()
            writer.write(f"{head}Idempotency-Key: {uuid.uuid4().hex}\r\n\r\n".encode() + body)
            said = await reader.readuntil(b"\r\n\r\n")
            if not said.startswith(b"HTTP/1.1 201 "):
                raise RuntimeError(f"a sale was answered {said.decode()}{(await reader.read(2_000)).decode()}")
            await reader.readexactly(int(said.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
            self._latencies.append(time.perf_counter() - began)
            self.bought += 1
        writer.close()
