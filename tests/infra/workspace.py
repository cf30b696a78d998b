"""A copy of the configuration in which Terraform runs against the stand-in: no network, no credentials, state in a file."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.root import ROOT

CONFIGURATION: Final = ROOT / "infra" / "terraform"
ENVIRONMENTS: Final = ("uat", "staging", "production")
NO_DIGEST: Final = "0" * 64
A_DIGEST: Final = hashlib.sha256(b"an image").hexdigest()
WITHOUT_OPTIONS: Final = tuple(f"-var={option}=null" for option in ("budget", "exports_abroad", "sftp"))

# Values of a production, in the place of those that its file holds for whoever deploys.
EXAMPLE: Final = (
    "-var=project=wallet-vas-production",
    "-var=region=africa-south1",
    "-var=settlement_retention_days=1827",
    '-var=alert_emails=["vas-on-call@example.com"]',
    '-var=mobilemart_secrets={"client_id"="mobilemart-client-id","client_secret"="mobilemart-client-secret"}',
    '-var=wallets={"app"={"caller"="f4e793635e1a98e6f60ff1b1ba636e7a","subscriber"="serviceAccount:wallet@wallet-app-production.iam.gserviceaccount.com"}}',
    *WITHOUT_OPTIONS,
)
OVERRIDE: Final = 'terraform {\n  backend "local" {}\n}\n'  # in place of the bucket, which is not there


class TerraformRefused(Exception):
    """Terraform found a fault; the text is what it said, on one line."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One copy of the configuration, and the archives that it deploys."""

    folder: Path
    archives: Path
    attach: str

    @classmethod
    def copied(cls, folder: Path, archives: Path, attach: str, configuration: Path = CONFIGURATION) -> "Workspace":
        """A fresh copy in an empty folder, ready to plan."""
        shutil.copytree(configuration, folder, ignore=shutil.ignore_patterns(".terraform*"))
        (folder / "zz_override.tf").write_text(OVERRIDE)
        (folder / "terraform.rc").write_text("disable_checkpoint = true\n")
        images = folder / "images.auto.tfvars"  # as `make images` leaves it
        if images.exists():  # earlier releases have none
            images.write_text(images.read_text().replace(NO_DIGEST, A_DIGEST))
        return cls(folder, archives, attach)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the one occurrence of a text in a file."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str) -> str:
        """What a Terraform command prints.

        Raises:
            TerraformRefused: the command failed.
        """
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TF_CLI_CONFIG_FILE": str(self.folder / "terraform.rc"),
            "TF_REATTACH_PROVIDERS": self.attach,
            "TF_VAR_archives": str(self.archives),
            "TF_VAR_metric_wait_seconds": "0",
            "GOGC": "off",  # Terraform lives for a second: collecting its garbage is a third of its work
            "GOMEMLIMIT": "1GiB",
        }
        done = subprocess.run(["terraform", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TerraformRefused(" ".join((done.stdout + done.stderr).replace("│", " ").split()))
        return done.stdout

    def plan(self, environment: str, *arguments: str) -> dict[str, Any]:
        """The plan for an environment, as Terraform shows it in JSON."""
        self.run("init", "-input=false", "-no-color")
        given = (f"-var-file=environments/{environment}.tfvars", "-out=made.tfplan", "-input=false", "-no-color", "-lock=false")
        self.run("plan", *given, *arguments)
        plan: dict[str, Any] = json.loads(self.run("show", "-json", "made.tfplan"))
        return plan

    def apply(self) -> None:
        """Make the plan true, as far as the stand-in and a file of state go."""
        self.run("apply", "-input=false", "-no-color", "made.tfplan")
