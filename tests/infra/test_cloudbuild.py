"""The build files: well formed, and kept to rules that Cloud Build itself does not check before it runs them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.infra.conftest import Planned
from tests.infra.workspace import ENVIRONMENTS
from tests.root import ROOT

FILES: Final = ("cloudbuild.yaml", "cloudbuild.apply.yaml")
FILLED: Final = {"BUILD_ID", "COMMIT_SHA", "LOCATION", "PROJECT_ID"}  # by Cloud Build, where a trigger starts it
SHELL: Final = re.compile(r"\$\{?([A-Z_]+)")
IMAGE: Final = re.compile(r"\$(_[A-Z]+)")  # which the trigger fills, by digest


def read(file: str) -> dict[str, Any]:
    build: dict[str, Any] = YAML(typ="safe").load(ROOT / file)
    return build


def faults(build: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a build, beyond its form."""
    options, declared, steps = build.get("options", {}), build.get("substitutions", {}), build.get("steps", [])
    if options.get("logging") != "CLOUD_LOGGING_ONLY":
        yield "logging is not CLOUD_LOGGING_ONLY, which an account of our own needs"
    if options.get("substitutionOption") != "MUST_MATCH":
        yield "substitutionOption is not MUST_MATCH: a misspelt substitution would be empty"
    if "machineType" in options:
        yield f"it asks for {options['machineType']}, for which a new project may have no quota: the trigger would fail at once"
    if not options.get("automapSubstitutions"):
        yield "automapSubstitutions is off: scripts would see no substitution"
    for name in declared:
        if not re.fullmatch(r"_[A-Z0-9_]+", name):
            yield f"the substitution {name} does not begin with _ in capitals"
    used = set()
    seen: set[str] = set()
    for step in steps:
        name, image, script = step.get("id", "a step without id"), step.get("name", ""), step.get("script", "")
        if name in seen:
            yield f"there are two steps {name}"
        if (given := IMAGE.fullmatch(image)) is None:
            yield f"{name} runs on {image}, and not on what was looked up: infra/terraform/images.auto.tfvars"
        else:
            used.add(given[1])
        if "waitFor" not in step:
            yield f"{name} does not say what it waits for"
        for awaited in set(step.get("waitFor", [])) - seen - {"-"}:
            yield f"{name} waits for {awaited}, which is no step before it"
        if not re.match(r"#!/bin/(ba)?sh\nset -eu(o pipefail)?\n", script):
            yield f"{name} goes on after a command that failed"
        if re.search(r"set -\w*x|secrets? versions access|print-access-token|\benv$|printenv", script, re.MULTILINE):
            yield f"{name} could write a secret into the log"
        used |= {word for word in SHELL.findall(script) if word.startswith("_")}
        used |= {word for word in SHELL.findall(script) if word in FILLED}
        seen.add(name)
    for name in sorted(used - set(declared) - FILLED):
        yield f"{name} is used and not declared"
    for name in sorted(set(declared) - used):
        yield f"{name} is declared and not used"


@pytest.mark.parametrize("file", FILES)
def test_a_build_file_has_the_form_that_cloud_build_reads(file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild", str(ROOT / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_a_build_file_keeps_our_rules(file: str) -> None:
    assert list(faults(read(file))) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_triggers_give_what_the_build_files_take(planned: Planned, environment: str) -> None:
    """With MUST_MATCH, one too many fails the build; one too few would leave a default that is meant for nobody."""
    triggers = {trigger["name"]: trigger for trigger in planned(environment).of("cloudbuild_trigger")}
    assert triggers["check"]["filename"] == FILES[0]
    assert set(triggers["check"]["substitutions"]) == set(read(FILES[0])["substitutions"]) - {"_COMMIT"}
    assert triggers["apply"]["git_file_source.0.path"] == FILES[1]
    assert set(triggers["apply"]["substitutions"]) == set(read(FILES[1])["substitutions"])


@pytest.mark.parametrize(
    ("environment", "mode", "passes"),
    [
        ("production", "live", True),
        ("production", "simulated", False),
        ("staging", "live", False),
        ("", "live", False),
    ],
)
def test_what_was_applied_has_to_call_itself_what_was_planned(tmp_path: Path, environment: str, mode: str, passes: bool) -> None:
    """The step itself, with a `curl` that answers as the functions would."""
    (step,) = (each for each in read(FILES[1])["steps"] if each["id"] == "health")
    (tmp_path / "outputs.json").write_text(
        json.dumps({"mode": {"value": "live"}, "uris": {"value": {name: f"https://{name}.example" for name in ("prevend", "purchase")}}})
    )
    answer = {"status": "ok", "mode": mode, **({"environment": environment} if environment else {})}
    said = {"prevend": {"status": "ok", "environment": "production", "mode": "live"}, "purchase": answer}
    for name, body in said.items():
        (tmp_path / f"{name}.answer").write_text(json.dumps(body))
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/bash\naddress="${@: -1}"\nname="${address#https://}"\n[ "${name#*.}" = "example/health" ] && cat "${name%%.*}.answer"\n'
    )
    curl.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}", "_ENVIRONMENT": "production"}
    done = subprocess.run(["bash", "-c", step["script"]], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is passes, done.stderr
    assert ("purchase runs as" in done.stderr) is not passes


@pytest.mark.parametrize(
    ("members", "passes"),
    [
        (["serviceAccount:scheduler@p.iam.gserviceaccount.com"], True),
        (["serviceAccount:scheduler@p.iam.gserviceaccount.com", "allUsers"], False),
        (["allAuthenticatedUsers"], False),
        ([], False),
    ],
)
def test_an_apply_fails_where_everybody_may_call_reconcile(tmp_path: Path, members: list[str], passes: bool) -> None:
    """The step itself, with a `gcloud` that shows the policy which the platform holds, whatever was planned."""
    (step,) = (each for each in read(FILES[1])["steps"] if each["id"] == "invokers")
    (tmp_path / "outputs.json").write_text(json.dumps({"region": {"value": "africa-south1"}}))
    bindings = [{"role": "roles/run.invoker", "members": members}] if members else []
    (tmp_path / "held.json").write_text(json.dumps({"bindings": bindings}, indent=2))
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/bin/bash\n[[ "$*" == *"get-iam-policy reconcile --region=africa-south1"* ]] && cat held.json\n')
    gcloud.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", step["script"]], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is passes, done.stderr


PLANTED: Final = (
    ("waitFor: [plan]", "waitFor: [plans]", "policies waits for plans, which is no step before it"),
    ("$_PIPELINE", "$_PIPLINE", "_PIPLINE is used and not declared"),
    ('_PLANS: ""', 'PLANS: ""', "the substitution PLANS does not begin with _"),
    ("name: $_TERRAFORM", "name: hashicorp/terraform:1.11.4", "runs on hashicorp/terraform:1.11.4, and not on what was looked up"),
    ("logging: CLOUD_LOGGING_ONLY", "logging: LEGACY", "logging is not CLOUD_LOGGING_ONLY"),
    ("automapSubstitutions: true", "automapSubstitutions: true\n  machineType: E2_HIGHCPU_8", "it asks for E2_HIGHCPU_8"),
    ("set -euo pipefail", "set -x", "could write a secret into the log"),
    ("MUST_MATCH", "ALLOW_LOOSE", "substitutionOption is not MUST_MATCH"),
    ("id: policies", "id: plan", "there are two steps plan"),
)


@pytest.mark.parametrize(("old", "new", "caught"), [pytest.param(*planted, id=planted[2]) for planted in PLANTED])
def test_an_error_planted_in_a_build_file_is_caught(old: str, new: str, caught: str) -> None:
    text = (ROOT / FILES[0]).read_text()
    assert old in text
    assert any(caught in fault for fault in faults(YAML(typ="safe").load(text.replace(old, new))))


def test_an_unknown_key_in_a_build_file_is_caught(tmp_path: Path) -> None:
    (tmp_path / "cloudbuild.yaml").write_text((ROOT / FILES[0]).read_text().replace("substitutionOption", "substitutionOptoin"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild", str(tmp_path / "cloudbuild.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "substitutionOptoin" in done.stdout
