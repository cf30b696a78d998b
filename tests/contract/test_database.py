"""A Firestore database whose calls fail: which calls are retried, over a real socket."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from google.cloud.firestore_v1 import types

from shared.ports.documents import StoreUnavailable
from shared.store.database import Database, Write

CANCELLED, UNKNOWN = grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN
METHODS = {"Commit": types.CommitResponse, "BatchGetDocuments": types.BatchGetDocumentsResponse, "RunQuery": types.RunQueryResponse}
REQUESTS = {"Commit": types.CommitRequest, "BatchGetDocuments": types.BatchGetDocumentsRequest, "RunQuery": types.RunQueryRequest}


class Service(grpc.GenericRpcHandler):
    """Ends its first calls with these codes, and answers the others: no document exists, and every write succeeds."""

    def __init__(self) -> None:
        self.codes: list[grpc.StatusCode] = []
        self.called: list[str] = []

    def service(self, handler_call_details):
        method = handler_call_details.method.rpartition("/")[2]
        kinds = {"request_deserializer": REQUESTS[method].deserialize, "response_serializer": METHODS[method].serialize}
        if method == "Commit":
            return grpc.unary_unary_rpc_method_handler(self._committed, **kinds)
        return grpc.unary_stream_rpc_method_handler(self._read if method == "RunQuery" else self._got, **kinds)

    async def _committed(self, request, context):
        await self._heard("Commit", context)
        return types.CommitResponse(write_results=[{"update_time": {"seconds": 1}} for _ in request.writes])

    async def _got(self, request, context):
        await self._heard("BatchGetDocuments", context)
        yield types.BatchGetDocumentsResponse(missing=request.documents[0])

    async def _read(self, _, context):
        await self._heard("RunQuery", context)
        yield types.RunQueryResponse()

    async def _heard(self, method, context):
        self.called.append(method)
        if self.codes:
            await context.abort(self.codes.pop(0), "as it was told to")


@pytest.fixture
async def service() -> AsyncIterator[tuple[Service, Database]]:
    """The service, and a database on a channel to it."""
    handler, server = Service(), grpc.aio.server()
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    database = Database(grpc.aio.insecure_channel(f"127.0.0.1:{port}"), "demo", "(default)", timeout_seconds=5)
    yield handler, database
    await database.close()
    await server.stop(None)


@pytest.mark.parametrize("code", [CANCELLED, UNKNOWN])
async def test_a_read_that_ends_for_no_reason_is_tried_once_more(service, code):
    handler, database = service
    handler.codes = [code]
    assert await database.get("transactions", "one") is None
    handler.codes = [code]
    assert await database.query("transactions") == []
    assert handler.called == ["BatchGetDocuments"] * 2 + ["RunQuery"] * 2

    handler.codes = [code, code]
    with pytest.raises(StoreUnavailable, match=code.name):
        await database.get("transactions", "one")


@pytest.mark.parametrize("code", [CANCELLED, UNKNOWN])
async def test_a_write_that_ends_for_no_reason_is_not_made_again(service, code):
    """The write may have been made."""
    handler, database = service
    handler.codes = [code]
    with pytest.raises(StoreUnavailable, match=code.name):
        await database.commit(Write("transactions", "one", {"state": "vending"}))
    assert handler.called == ["Commit"]
