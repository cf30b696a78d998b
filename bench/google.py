"""Firestore and Pub/Sub that answer at once: `python -m bench.google`.

They offer the gRPC calls of a sale. Documents are stored, creates and preconditions are checked, and updates with a
mask
are merged. A query for open sales finds the last one written, by its name alone; messages are dropped.
The emulators, in Java, take more CPU for a sale than the functions do, and would dominate the measurement.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import grpc.aio
from google.cloud.firestore_v1 import types
from google.pubsub_v1 import PublishRequest, PublishResponse

_CommitResponse: Final[Any] = types.CommitResponse.pb()
_Found: Final[Any] = types.BatchGetDocumentsResponse.pb()
_Row: Final[Any] = types.RunQueryResponse.pb()
_Published: Final[Any] = PublishResponse.pb()


class Documents:
    """Documents by their full names, each with the time of its last update."""

    def __init__(self) -> None:
        self._documents: dict[str, Any] = {}
        self._open: dict[str, str] = {}  # by the key that finds an open sale: its name
        self._ticks = itertools.count(1)

    async def commit(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        for write in request.writes:
            held, guard = self._documents.get(write.update.name), write.current_document
            if guard.HasField("exists") and guard.exists != (held is not None):
                await context.abort(grpc.StatusCode.ALREADY_EXISTS if held else grpc.StatusCode.NOT_FOUND, "it is not so")
            if guard.HasField("update_time") and (held is None or held.update_time != guard.update_time):
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "updated meanwhile")
        response = _CommitResponse()
        for write in request.writes:
            document = write.update
            if write.HasField("update_mask"):
                self._merge(document, set(write.update_mask.field_paths))
            self._stamp(document.update_time)
            self._documents[document.name] = document
            if "open" in document.fields:
                self._open[_found_by(document.fields["open"])] = document.name
            response.write_results.add().update_time.CopyFrom(document.update_time)
        self._stamp(response.commit_time)
        return response

    async def get(self, request: Any, _: object) -> AsyncIterator[Any]:
        for name in request.documents:
            held = self._documents.get(name)
            answer = _Found(missing=name) if held is None else _Found(found=held)
            self._stamp(answer.read_time)
            yield answer

    async def query(self, request: Any, _: object) -> AsyncIterator[Any]:
        answer = _Row()
        held = self._documents.get(self._open.get(request.structured_query.where.field_filter.value.string_value, ""))
        if held is not None and "open" in held.fields:
            answer.document.name = held.name
            answer.document.create_time.CopyFrom(held.update_time)
            answer.document.update_time.CopyFrom(held.update_time)
        self._stamp(answer.read_time)
        yield answer

    def _merge(self, document: Any, written: set[str]) -> None:
        """Merge a write into a document: fields that the write does not name stay, at the top or one level down."""
        for name, value in self._documents[document.name].fields.items():
            if any(path.startswith(f"{name}.") for path in written):
                inner = document.fields[name].map_value.fields
                for below, item in value.map_value.fields.items():
                    if f"{name}.{below}" not in written:
                        inner[below].CopyFrom(item)
            elif name not in written:
                document.fields[name].CopyFrom(value)

    def _stamp(self, moment: Any) -> None:
        """Return a time that no other answer has."""
        moment.seconds, moment.nanos = int(time.time()), next(self._ticks) % 1_000_000 * 1_000


def _found_by(place: Any) -> str:
    """Return our account, or the meter of a probe."""
    return place.map_value.fields["account"].string_value if place.HasField("map_value") else place.string_value


async def publish(request: Any, _: object) -> Any:
    return _Published(message_ids=["1"] * len(request.messages))


async def main() -> None:
    documents = Documents()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "google.firestore.v1.Firestore",
                {
                    "Commit": _unary(documents.commit, types.CommitRequest),
                    "BatchGetDocuments": _stream(documents.get, types.BatchGetDocumentsRequest),
                    "RunQuery": _stream(documents.query, types.RunQueryRequest),
                },
            ),
            grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": _unary(publish, PublishRequest)}),
        )
    )
    print(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    await server.start()
    await server.wait_for_termination()


def _unary(answer: Any, request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(answer, request.pb().FromString, _serialised)


def _stream(answer: Any, request: Any) -> Any:
    return grpc.unary_stream_rpc_method_handler(answer, request.pb().FromString, _serialised)


def _serialised(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


if __name__ == "__main__":
    asyncio.run(main())
