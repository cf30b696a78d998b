"""Cloud Storage, Pub/Sub, Logging and a machine's metadata on a loopback socket, as far as a build's `gcloud` and the SFTP server
speak to them: who lacks a permission gets 403.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

# Of what these roles permit, the part that is about objects.
PERMITTED: Final = {
    "roles/storage.objectCreator": {"storage.objects.create"},
    "roles/storage.objectUser": {f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list", "update")},
    "roles/storage.objectViewer": {"storage.objects.get", "storage.objects.list"},
}


@dataclass(slots=True)
class Cloud:
    """One bucket, the permissions of whoever calls, and what came in."""

    bucket: str
    permissions: AbstractSet[str]
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def serving(bucket: str, roles: AbstractSet[str]) -> Iterator[Cloud]:
    """A cloud in which the caller has those roles on the bucket."""
    cloud = Cloud(bucket, {permission for role in roles for permission in PERMITTED[role]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cloud))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/computeMetadata/v1/"):
                self.answer(200, {"access_token": "of-the-machine"} if self.path.endswith("/token") else "a-project")
                return
            bucket, _, name = urlsplit(self.path).path.removeprefix("/storage/v1/b/").partition("/o")
            if bucket != cloud.bucket:
                self.answer(404, {"error": {"code": 404, "message": f"no bucket {bucket}"}})
            elif not name and self.may("storage.objects.list"):
                self.answer(200, {"kind": "storage#objects"})
            elif name and self.may("storage.objects.get"):
                found = unquote(name.removeprefix("/"))
                self.answer(*((200, self.described(found)) if found in cloud.objects else (404, {"error": {"code": 404}})))

        def do_POST(self) -> None:
            asked, body = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if asked.path.endswith(":publish"):
                cloud.published += json.loads(body)["messages"]
                self.answer(200, {"messageIds": ["1"]})
                return
            if asked.path.endswith("/entries:write"):
                cloud.logged += json.loads(body)["entries"]
                self.answer(200, {})
                return
            if "uploadType=media" in asked.query:
                self.create({name: value for name, (value,) in parse_qs(asked.query).items()}, body)
                return
            _, about, content, _ = body.split(body.splitlines()[0])  # multipart: each part begins with this line
            name, sent = json.loads(about.split(b"\n\n", 1)[1])["name"], content.split(b"\n\n", 1)[1].removesuffix(b"\n")
            if self.may("storage.objects.create") and (name not in cloud.objects or self.may("storage.objects.delete")):
                cloud.objects[name] = sent
                self.answer(200, self.described(name))

        def create(self, asked: dict[str, str], content: bytes) -> None:
            if not self.may("storage.objects.create"):
                return
            if asked["name"] in cloud.objects and asked["ifGenerationMatch"] == "0":
                self.answer(412, {"error": {"code": 412, "message": "conditionNotMet"}})
                return
            cloud.objects[asked["name"]] = content
            self.answer(200, self.described(asked["name"]))

        def may(self, permission: str) -> bool:
            if permission not in cloud.permissions:
                cloud.refused.append(permission)
                self.answer(403, {"error": {"code": 403, "message": f"does not have {permission} access"}})
            return permission in cloud.permissions

        def described(self, name: str) -> dict[str, str]:
            content = cloud.objects[name]
            digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()  # gcloud compares it
            about = {"bucket": cloud.bucket, "name": name, "size": str(len(content)), "md5Hash": digest}
            return {"kind": "storage#object", "generation": "1", "metageneration": "1", **about}

        def answer(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: the test reads what was refused."""

    return Handler
