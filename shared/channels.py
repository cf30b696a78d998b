"""Channels to Google's services: over TLS with this process's credentials, or to an emulator on this machine."""

import asyncio
from collections.abc import Sequence
from typing import Any

import google.auth
import grpc.aio


async def channel(transport: Any, emulator: str | None, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
    """A channel for a generated client's asyncio `transport`, which names its host and scopes. `emulator` is `host:port`.

    Raises:
        GoogleAuthError: no credentials were found.
    """
    if emulator is not None:
        return grpc.aio.insecure_channel(emulator, options=options)
    # In a thread: it may read files, and ask the metadata server.
    credentials, _ = await asyncio.to_thread(google.auth.default, scopes=transport.AUTH_SCOPES)
    made: grpc.aio.Channel = transport.create_channel(transport.DEFAULT_HOST, credentials=credentials, options=options)
    return made
