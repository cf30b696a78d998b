"""Calls to Google's services: they end in time although a service hangs, and the log names the reason."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import grpc.aio
import pytest

from shared.gcp.grpc import READ_ONCE_MORE, call_with_retry

SECONDS = 0.5
UNAVAILABLE = frozenset({grpc.StatusCode.UNAVAILABLE})


def failure(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


class Fails:
    """A call that fails with each of these codes in turn, and then succeeds. A try with too little time is cut off."""

    def __init__(self, *codes: grpc.StatusCode, needs_seconds: float = 0) -> None:
        self._codes = list(codes)
        self._needs_seconds = needs_seconds
        self.given: list[float] = []

    async def __call__(self, seconds: float) -> str:
        self.given.append(seconds)
        if seconds < self._needs_seconds:
            raise failure(grpc.StatusCode.DEADLINE_EXCEEDED)
        if self._codes:
            raise failure(self._codes.pop(0))
        return "answered"


async def test_a_call_is_tried_again_within_what_is_left_of_its_time():
    call = Fails(*[grpc.StatusCode.UNAVAILABLE] * 3)
    assert await call_with_retry(call, SECONDS, UNAVAILABLE) == "answered"
    assert call.given[0] == SECONDS
    assert call.given == sorted(set(call.given), reverse=True)
    assert len(call.given) == 4


async def test_a_code_that_another_try_would_not_change_is_raised_at_once():
    call = Fails(grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call_with_retry(call, SECONDS, UNAVAILABLE)
    assert (raised.value.code(), len(call.given)) == (grpc.StatusCode.PERMISSION_DENIED, 1)


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN])
async def test_a_read_that_ends_for_no_reason_is_tried_once_more(code: grpc.StatusCode):
    call = Fails(code)
    assert await call_with_retry(call, SECONDS, UNAVAILABLE, READ_ONCE_MORE) == "answered"

    call = Fails(grpc.StatusCode.UNAVAILABLE, code, grpc.StatusCode.UNAVAILABLE, code)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call_with_retry(call, SECONDS, UNAVAILABLE, READ_ONCE_MORE)
    assert (raised.value.code(), len(call.given)) == (code, 4)


async def test_when_the_time_is_up_the_last_failure_is_raised():
    call, started = Fails(*[grpc.StatusCode.UNAVAILABLE] * 1_000), time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call_with_retry(call, SECONDS, UNAVAILABLE)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - started <= SECONDS + 0.25
    assert len(call.given) > 2


async def test_a_last_try_that_is_cut_off_has_the_failure_before_it_as_its_cause():
    call = Fails(grpc.StatusCode.UNAVAILABLE, needs_seconds=SECONDS)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call_with_retry(call, SECONDS, UNAVAILABLE)
    cause = raised.value.__cause__
    assert isinstance(cause, grpc.aio.AioRpcError)
    assert (raised.value.code(), cause.code()) == (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


class Silent(grpc.AuthMetadataPlugin):
    """Credentials from a metadata server that does not answer until the test lets it."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        self.ended.wait(20)
        callback((), None)


@pytest.fixture
def silent() -> Iterator[Silent]:
    plugin = Silent()
    yield plugin
    plugin.ended.set()


@pytest.fixture
async def credentialed(silent: Silent) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that answers every call. Each call requests credentials first."""

    async def answered(request: bytes, context: object) -> bytes:
        return request

    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    method = grpc.unary_unary_rpc_method_handler(answered)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Service", {"Method": method}),))
    await server.start()
    credentials = grpc.composite_channel_credentials(grpc.local_channel_credentials(), grpc.metadata_call_credentials(silent))
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        yield channel
    await server.stop(None)


@pytest.mark.parametrize("form", ["unary", "stream"])
async def test_credentials_that_never_come_end_a_call_in_time_and_hold_up_nobody(credentialed, form):
    async def call(seconds: float) -> list[bytes]:
        if form == "unary":
            return [await credentialed.unary_unary("/a.Service/Method")(b"", timeout=seconds)]
        return [each async for each in credentialed.unary_stream("/a.Service/Method")(b"", timeout=seconds)]

    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating, started = asyncio.create_task(beat()), time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call_with_retry(call, SECONDS, UNAVAILABLE)
    beating.cancel()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < SECONDS + 1
    assert beats > 10
