"""What an independent scanner says of the configuration, but for what is accepted: `make scan`. The standard library alone.

The scanner downloads nothing and tells nobody: it reads the files, with the values of production.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.infra.accepted import ACCEPTED, Accepted

CONFIGURATION: Final = Path(__file__).resolve().parent.parent.parent / "infra" / "terraform"
LEAST: Final = 60  # checks that pass: where there are fewer, the scanner has not read what it was given


def faults(report: Mapping[str, Any], accepted: Iterable[Accepted] = ACCEPTED) -> Iterator[str]:
    """What is neither right nor accepted, and what is accepted and not there any more."""
    if report["summary"]["parsing_errors"]:
        yield f"{report['summary']['parsing_errors']} files could not be read"
    if report["summary"]["passed"] < LEAST:
        yield f"only {report['summary']['passed']} checks have passed: the scanner has not seen the configuration"
    found = {(each["check_id"], each["resource"]): each for each in report["results"]["failed_checks"]}
    allowed = {(each.check, resource) for each in accepted for resource in each.resources}
    for key in sorted(found.keys() - allowed):
        yield f"{' '.join(key)}: {found[key]['check_name']} ({found[key]['file_path']})"
    for key in sorted(allowed - found.keys()):
        yield f"{' '.join(key)}: accepted, and not found any more: take it out of tests/infra/accepted.py"


def main(arguments: Sequence[str]) -> int:
    """Scan with the scanner that is named; 1 when there is something to say."""
    values = CONFIGURATION / "environments" / "production.tfvars"
    command = [*arguments, "-d", str(CONFIGURATION), "--framework", "terraform", "--var-file", str(values)]
    quiet = ["--skip-download", "--quiet", "--compact", "--soft-fail", "-o", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "CI": "true"}
    done = subprocess.run([*command, *quiet], env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    report = json.loads(done.stdout)
    said = list(faults(report))
    print("\n".join(said) or f"scanned: {report['summary']['passed']} checks passed, {report['summary']['failed']} findings accepted")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
