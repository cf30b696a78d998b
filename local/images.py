"""Pins the images of builds: asks each registry for the current digest of a version, and writes the digest down.

    make images

People raise versions in `infra/terraform/images.auto.tfvars`; this command writes the digests there.
The change shows reviewers which images are new. The command needs the internet, and no account.
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
HOSTS: Final = {"docker.io": "registry-1.docker.io"}  # the registry's name in an image is not its address
MANIFESTS: Final = (  # manifests of all platforms first: their digest is valid wherever a build runs
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT_SECONDS: Final = 30


class Unresolved(Exception):
    """A registry did not return the digest of a version."""


@dataclass(frozen=True, slots=True)
class Image:
    """A version in a registry, and the digest that is written down for it."""

    registry: str
    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}:{self.tag}"


def named(text: str) -> Iterator[Image]:
    """Return every image that a file of values names."""
    for found in IMAGE.finditer(text):
        yield Image(found["registry"], found["name"], found["tag"], found["digest"])


def digest_now(image: Image, client: httpx.Client, scheme: str = "https") -> str:
    """Return the registry's digest of the version, computed from the registry's answer.

    Raises:
        Unresolved: the registry does not know the version, does not answer, or names another digest than its manifest's.
    """
    url = f"{scheme}://{HOSTS.get(image.registry, image.registry)}/v2/{image.name}/manifests/{image.tag}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        answer = client.get(url, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # public images need a token, too; anybody receives one
            headers["Authorization"] = f"Bearer {_token(answer.headers.get('WWW-Authenticate', ''), client)}"
            answer = client.get(url, headers=headers)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unresolved(f"{image}: {error}") from error
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    stated = answer.headers.get("Docker-Content-Digest", digest)
    if stated != digest:
        raise Unresolved(f"{image}: the registry says {stated}, and its manifest is {digest}")
    return digest


def _token(challenge: str, client: httpx.Client) -> str:
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = parameters.pop("realm", "")
    if not realm.startswith("http"):
        raise Unresolved(f"the registry asks for {challenge or 'nothing that is known'}")
    answer = client.get(realm, params=parameters)
    answer.raise_for_status()
    given = answer.json()
    return str(given.get("token") or given["access_token"])


def main(arguments: Sequence[str]) -> int:
    """Write today's digests into the file. Return 1, and write nothing, if one digest is unknown."""
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
