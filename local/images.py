"""Pins the images that builds run on: asks each registry which digest a version has now, and puts it down.

    make images

It reads `infra/terraform/images.auto.tfvars`, where people raise versions, and writes the digests there. Whoever reads the
change sees which images are others than before. It needs the internet, and no account.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

FILE: Final = Path(__file__).parent.parent / "infra" / "terraform" / "images.auto.tfvars"
IMAGE: Final = re.compile(r'"(?P<registry>[a-z0-9.:-]+)/(?P<name>[a-z0-9./_-]+):(?P<tag>[\w.-]+)@(?P<digest>sha256:[0-9a-f]{64})"')
HOSTS: Final = {"docker.io": "registry-1.docker.io"}  # its name in an image is not its address
MANIFESTS: Final = (  # of all platforms first: their digest holds wherever a build runs
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT_SECONDS: Final = 30


class Unresolved(Exception):
    """A registry did not say which digest a version has."""


@dataclass(frozen=True, slots=True)
class Image:
    """A version in a registry, and the digest that is put down for it."""

    registry: str
    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}:{self.tag}"


def named(text: str) -> Iterator[Image]:
    """Every image that a file of values names."""
    for found in IMAGE.finditer(text):
        yield Image(found["registry"], found["name"], found["tag"], found["digest"])


def digest_now(image: Image, client: httpx.Client, scheme: str = "https") -> str:
    """The digest that the registry has under the version, worked out from what it sends.

    Raises:
        Unresolved: it does not know the version, is not reached, or says another digest than its manifest has.
    """
    url = f"{scheme}://{HOSTS.get(image.registry, image.registry)}/v2/{image.name}/manifests/{image.tag}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        answer = client.get(url, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # public images too ask for a token, and give it to anybody
            headers["Authorization"] = f"Bearer {_token(answer.headers.get('WWW-Authenticate', ''), client)}"
            answer = client.get(url, headers=headers)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unresolved(f"{image}: {error}") from error
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    said = answer.headers.get("Docker-Content-Digest", digest)
    if said != digest:
        raise Unresolved(f"{image}: the registry says {said}, and its manifest is {digest}")
    return digest


def _token(challenge: str, client: httpx.Client) -> str:
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith("http"):
        raise Unresolved(f"the registry asks for {challenge or 'nothing that is known'}")
    answer = client.get(realm, params=asked)
    answer.raise_for_status()
    given = answer.json()
    return str(given.get("token") or given["access_token"])


def main(arguments: Sequence[str]) -> int:
    """Write today's digests into the file; 1 when one is not known, and then nothing is written."""
    file = Path(arguments[0]) if arguments else FILE
    scheme = arguments[1] if len(arguments) > 1 else "https"
    text = file.read_text()
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True) as client:
        for image in named(text):
            try:
                digest = digest_now(image, client, scheme)
            except Unresolved as unresolved:
                print(unresolved, file=sys.stderr)
                return 1
            print(f"{image}@{digest}{'' if digest == image.digest else f', was {image.digest}'}")
            text = text.replace(f"{image}@{image.digest}", f"{image}@{digest}")
    file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
