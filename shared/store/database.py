"""A Firestore database over gRPC: atomic commits, reads of documents, and queries.

The module uses Firestore's own messages. The client libraries take more CPU per call than the call itself, and retry beyond our
time bound: `docs/performance.md` has the measurements.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import grpc.aio
from google.cloud.firestore_v1 import types

from shared.gcp.grpc import READ_ONCE_MORE, RETRIED, Service, call_with_retry
from shared.ports.documents import Conflict, StoreUnavailable
from shared.store.codec import DocumentBody
from shared.store.protobuf import document_of, fill

TAKEN: Final = frozenset({grpc.StatusCode.ALREADY_EXISTS})  # "not found" and "failed precondition" may also mean a missing database

_SERVICE: Final = "google.firestore.v1.Firestore"
_REFUSED: Final = TAKEN | {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}

_CommitRequest: Final[Any] = types.CommitRequest.pb()
_BatchGetRequest: Final[Any] = types.BatchGetDocumentsRequest.pb()
_RunQueryRequest: Final[Any] = types.RunQueryRequest.pb()
_Query: Final[Any] = types.StructuredQuery.pb()

Answered = TypeVar("Answered")


class Found(NamedTuple):
    """A document that was read. `revision` is the exact update time, and `created` the creation time, in seconds with nine decimals."""

    id: str
    document: DocumentBody
    revision: str
    created: str


class Write(NamedTuple):
    """A write of a whole document, or only of the fields at `paths`. A path that the document lacks is removed from the stored one.

    `is_new`: only if the id is free. `revision`: only if the stored document still has the revision. Neither: without a condition.
    `gained` are the items that a list gets unless it has them, by the list's path. `lost` are the items that the list loses.
    A `document` of `None` deletes the stored one.
    """

    collection: str
    id: str
    document: DocumentBody | None
    is_new: bool = False
    revision: str | None = None
    paths: Sequence[str] = ()
    gained: Mapping[str, Sequence[str]] = MappingProxyType({})
    lost: Mapping[str, Sequence[str]] = MappingProxyType({})


class Database:
    """One Firestore database over a channel. Every call, with all its attempts, has one time bound."""

    def __init__(self, over: grpc.aio.Channel, project: str, database: str, timeout_seconds: float) -> None:
        self._channel = over
        self._name = f"projects/{project}/databases/{database}"
        self._timeout_seconds = timeout_seconds
        self._root = f"{self._name}/documents"
        service = Service(over, _SERVICE, ("google-cloud-resource-prefix", self._name))
        self._commit = service.unary("Commit", types.CommitRequest, types.CommitResponse, database=self._name)
        get = types.BatchGetDocumentsRequest, types.BatchGetDocumentsResponse
        self._get = service.stream("BatchGetDocuments", *get, database=self._name)
        self._query = service.stream("RunQuery", types.RunQueryRequest, types.RunQueryResponse, parent=self._root)

    async def close(self) -> None:
        await self._channel.close()

    def path(self, collection: str, document_id: str = "") -> str:
        return f"{self._root}/{collection}/{document_id}"

    async def commit(self, *writes: Write, retried: bool = True, refused_by: Collection[grpc.StatusCode] = _REFUSED) -> list[str]:
        """Make all writes or none, and return the revisions of the written documents. `refused_by` are the codes of a failed precondition.

        Raises:
            Conflict: a precondition failed, perhaps against an earlier attempt of this very commit.
            StoreUnavailable: the writes may or may not have been made. Firestore's "aborted" also raises this error: other calls were
                busy with the documents, and may not have changed them.
        """
        request = _CommitRequest(database=self._name)
        for write in writes:
            self._put(request.writes.add(), write)
        try:
            response = await self._bounded(lambda seconds: self._commit(request, seconds), retried=retried)
        except StoreUnavailable as unavailable:
            if isinstance(unavailable.__cause__, grpc.aio.AioRpcError) and unavailable.__cause__.code() in refused_by:
                raise Conflict(unavailable.__cause__.code().name) from None
            raise
        return [_moment(result.update_time) for result in response.write_results]

    async def get(self, collection: str, document_id: str) -> Found | None:
        """One document; `None` if there is none. Read as a batch of one, which tells a missing document from a missing database."""
        path = self.path(collection, document_id)
        request = _BatchGetRequest(database=self._name, documents=[path])

        async def read(seconds: float) -> Found | None:
            answers = [answer async for answer in self._get(request, seconds)]
            if not answers:
                raise ConnectionError("an answer that says nothing")
            return _found(answers[0].found) if answers[0].HasField("found") else None

        return await self._bounded(read, once_more=READ_ONCE_MORE)

    async def query(self, collection: str, **clauses: Any) -> list[Found]:
        """The documents of a structured query over one collection."""
        query = _Query(from_=[{"collection_id": collection}], **clauses)
        request = _RunQueryRequest(parent=self._root, structured_query=query)

        async def read(seconds: float) -> list[Found]:
            answers = self._query(request, seconds)
            return [_found(answer.document) async for answer in answers if answer.HasField("document")]

        return await self._bounded(read, once_more=READ_ONCE_MORE)

    def _put(self, message: Any, write: Write) -> None:
        """Fill a message inside the request: protobuf would copy a message that is made outside."""
        if write.document is None:
            message.delete = self.path(write.collection, write.id)
        else:
            message.update.name = self.path(write.collection, write.id)
            fill(message.update.fields, write.document)
        if write.paths:
            message.update_mask.field_paths.extend(write.paths)
        for path, items in write.gained.items():
            gained = message.update_transforms.add(field_path=path).append_missing_elements
            for item in items:
                gained.values.add(string_value=item)
        for path, items in write.lost.items():
            lost = message.update_transforms.add(field_path=path).remove_all_from_array
            for item in items:
                lost.values.add(string_value=item)
        if write.is_new:
            message.current_document.exists = False
        if write.revision is not None:
            moment = message.current_document.update_time
            seconds, _, nanos = write.revision.partition(".")
            moment.seconds, moment.nanos = int(seconds), int(nanos)

    async def _bounded(
        self, call: Callable[[float], Awaitable[Answered]], *, retried: bool = True, once_more: Collection[grpc.StatusCode] = ()
    ) -> Answered:
        try:
            return await (call_with_retry(call, self._timeout_seconds, RETRIED, once_more) if retried else call(self._timeout_seconds))
        except Exception as error:  # of the API, transport, credentials or time: the effect of the call is unknown
            raise StoreUnavailable(error.code().name if isinstance(error, grpc.aio.AioRpcError) else type(error).__name__) from error


def _found(document: Any) -> Found:
    name, created, updated = document.name.rpartition("/")[2], _moment(document.create_time), _moment(document.update_time)
    return Found(name, document_of(document.fields), updated, created)


def _moment(time: Any) -> str:
    return f"{time.seconds}.{time.nanos:09d}"
