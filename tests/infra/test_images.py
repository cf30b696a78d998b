"""`make images`, against a registry on a loopback socket that wants a token, as public ones do."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from local import images
from tests.infra.workspace import CONFIGURATION, NO_DIGEST

MANIFEST: Final = b'{"schemaVersion": 2, "manifests": []}'
DIGEST: Final = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


@dataclass
class Registry:
    """One repository, and what it says of its digest."""

    host: str = ""
    says: str = DIGEST
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(self.path)
            if self.path.startswith("/token"):
                self.answer(200, json.dumps({"token": "anybodys"}).encode())
            elif self.headers.get("Authorization") != "Bearer anybodys":
                self.answer(401, b"", ("WWW-Authenticate", f'Bearer realm="http://{registry.host}/token",service="here",scope="pull"'))
            elif self.path == "/v2/some/builder/manifests/1.2.3" and "index" in self.headers["Accept"]:
                self.answer(200, MANIFEST, ("Docker-Content-Digest", registry.says))
            else:
                self.answer(404, b"")

        def answer(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for header in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    registry.host = f"127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def values(folder: Path, *named: str) -> Path:
    file = folder / "images.auto.tfvars"
    file.write_text("".join(f'  one = "{image}@sha256:{NO_DIGEST}"\n' for image in named))
    return file


def test_the_digest_of_a_version_is_put_down(registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = values(tmp_path, f"{registry.host}/some/builder:1.2.3")
    assert images.main([str(file), "http"]) == 0
    assert file.read_text() == f'  one = "{registry.host}/some/builder:1.2.3@{DIGEST}"\n'
    assert capsys.readouterr().out == f"{registry.host}/some/builder:1.2.3@{DIGEST}, was sha256:{NO_DIGEST}\n"
    assert registry.asked[1] == "/token?service=here&scope=pull"
    assert images.main([str(file), "http"]) == 0
    assert "was" not in capsys.readouterr().out


def test_nothing_is_put_down_where_one_is_not_known(registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = values(tmp_path, f"{registry.host}/some/builder:1.2.3", f"{registry.host}/some/builder:9.9.9")
    before = file.read_text()
    assert images.main([str(file), "http"]) == 1
    assert file.read_text() == before and "9.9.9" in capsys.readouterr().err


def test_a_registry_that_says_another_digest_is_not_believed(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.says = f"sha256:{'1' * 64}"
    assert images.main([str(values(tmp_path, f"{registry.host}/some/builder:1.2.3")), "http"]) == 1
    assert "and its manifest is" in capsys.readouterr().err


def test_every_image_of_the_configuration_is_one_that_can_be_asked_for() -> None:
    text = (CONFIGURATION / "images.auto.tfvars").read_text()
    assert len(list(images.named(text))) == text.count("@sha256:") == 3
    assert {image.registry for image in images.named(text)} == {"docker.io", "gcr.io"}
