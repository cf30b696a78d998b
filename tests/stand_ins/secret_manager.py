"""A Secret Manager on an insecure local port: what `SECRET_MANAGER_EMULATOR_HOST` points to in tests."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum, auto

import google_crc32c
import grpc
from google.cloud.secretmanager_v1 import AccessSecretVersionRequest, AccessSecretVersionResponse, SecretPayload


class Fault(Enum):
    """How the service can fail."""

    DAMAGED = auto()  # the data is not what its checksum was made of
    SILENT = auto()  # takes the request and never answers
    DENIED = auto()


class SecretManager:
    """The service: `secrets` by resource name, to be changed at any time, and the names that were asked for."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self.secrets = dict(secrets)
        self.fault: Fault | None = None
        self.asked: list[str] = []
        self.address = ""
        self.stopping = threading.Event()

    def access(self, request: AccessSecretVersionRequest, context: grpc.ServicerContext) -> AccessSecretVersionResponse:
        self.asked.append(request.name)
        if self.fault is Fault.SILENT:
            self.stopping.wait()
        if self.fault is Fault.DENIED:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
        if (data := self.secrets.get(request.name)) is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        checksum = google_crc32c.value(data)
        sent = data[::-1] if self.fault is Fault.DAMAGED else data
        return AccessSecretVersionResponse(name=request.name, payload=SecretPayload(data=sent, data_crc32c=checksum))


@contextmanager
def secret_manager(secrets: Mapping[str, bytes]) -> Iterator[SecretManager]:
    """The service, listening on `address` (`host:port`) for as long as the context lasts."""
    service = SecretManager(secrets)
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    handler = grpc.unary_unary_rpc_method_handler(
        service.access,
        request_deserializer=AccessSecretVersionRequest.deserialize,
        response_serializer=AccessSecretVersionResponse.serialize,
    )
    methods = {"AccessSecretVersion": handler}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("google.cloud.secretmanager.v1.SecretManagerService", methods),),
    )
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield service
    finally:
        service.stopping.set()
        server.stop(grace=None).wait()
