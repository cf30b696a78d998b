"""What is made of the scanner's findings; the scan itself is `make scan`, with the scanner in an environment of its own."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra import scan
from tests.infra.accepted import ACCEPTED


def report(*found: tuple[str, str], passed: int = 90, unread: int = 0) -> dict[str, Any]:
    """As the scanner writes it, as far as it is read."""
    failed = [{"check_id": check, "resource": resource, "check_name": "Ensure", "file_path": "/x.tf"} for check, resource in found]
    return {"results": {"failed_checks": failed}, "summary": {"passed": passed, "failed": len(failed), "parsing_errors": unread}}


AS_ACCEPTED = tuple((each.check, resource) for each in ACCEPTED for resource in each.resources)


def test_what_is_accepted_is_said_by_nobody() -> None:
    assert list(scan.faults(report(*AS_ACCEPTED))) == []


@pytest.mark.parametrize(
    ("made", "caught"),
    [
        (report(*AS_ACCEPTED, ("CKV_GCP_29", "google_storage_bucket.new")), "CKV_GCP_29 google_storage_bucket.new: Ensure (/x.tf)"),
        (report(*AS_ACCEPTED, ("CKV_GCP_62", "google_storage_bucket.new")), "CKV_GCP_62 google_storage_bucket.new: Ensure (/x.tf)"),
        (report(*AS_ACCEPTED[1:]), "accepted, and not found any more"),
        (report(*AS_ACCEPTED, passed=3), "the scanner has not seen the configuration"),
        (report(*AS_ACCEPTED, unread=1), "1 files could not be read"),
    ],
)
def test_everything_else_is(made: dict[str, Any], caught: str) -> None:
    (fault,) = scan.faults(made)
    assert caught in fault


def test_every_acceptance_has_its_reason_once() -> None:
    assert len({each.check for each in ACCEPTED}) == len(ACCEPTED)
    assert all(len(each.reason) > 20 and each.resources for each in ACCEPTED)


def test_a_scanner_that_breaks_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "scanner.py"
    broken.write_text("import sys; sys.exit('out of order')")
    assert scan.main([sys.executable, str(broken)]) == 1
    assert "out of order" in capsys.readouterr().err
    broken.write_text(f"print({json.dumps(json.dumps(report(('CKV_GCP_29', 'new'))))})")
    assert scan.main([sys.executable, str(broken)]) == 1
