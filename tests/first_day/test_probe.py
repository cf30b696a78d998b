"""The probe, against a simulated supplier that plays each possible supplier over a socket."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from local.probe.__main__ import configuration
from local.probe.questions import QUESTIONS
from local.supplier import serving
from shared.config import PRODUCTION_URL
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, Behaviour, Effect, Leg, MemoryLedger, Simulator, SwitchFault
from shared.mobilemart.simulator.response_bodies import CONSUMER
from tests.first_day.conftest import Ran, Run
from tests.root import ROOT
from tests.stand_ins.secret_manager import secret_manager

METER = "12345678901"
SAVED = Path("probed")
BUY = ("--meter", METER, "--buy", "R20.00", "--save", SAVED)


@dataclass(slots=True)
class Supplier:
    """A simulator, its address, and whether each purchase that arrived was in the log."""

    simulator: Simulator
    url: str = ""
    on_record: list[bool] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" or scope["path"] == "/connect/token":
            await self.simulator(scope, receive, send)
            return

        async def witnessed() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self.on_record.append(json.loads(message["body"])["requestId"] in (SAVED / "requests.jsonl").read_text())
            return message

        await self.simulator(scope, witnessed, send)

    async def vends(self) -> int:
        return len(await self.simulator.vends())


def simulator(*faults: SwitchFault, ledger: MemoryLedger | None = None, **behaviour: Any) -> Simulator:
    """A simulator without the mark, unless one is requested."""
    played = Behaviour(**{"marked": False, **behaviour})
    return Simulator(ledger or MemoryLedger(), behaviour=played, faults=faults, now=lambda: datetime.now(UTC))


@asynccontextmanager
async def supplier(*faults: SwitchFault, **behaviour: Any) -> AsyncIterator[Supplier]:
    switch = Supplier(simulator(*faults, **behaviour))
    async with serving(switch) as url:
        switch.url = url
        yield switch


def about(ran: Ran, question: str) -> str:
    """Return the output about a question: what was proven, and on the next line what to change."""
    proven = ran.said.partition("\nPROVEN\n")[2].partition("\nSTILL UNKNOWN\n")[0]
    match = re.search(rf"^  {question} .*\n.*$", proven, re.MULTILINE)
    return "" if match is None else " ".join(match[0].split())


def journal() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAVED / "requests.jsonl").read_text().splitlines()]


def kept() -> dict[str, str]:
    """Return the saved files by name. Each is readable by its owner alone."""
    files = list(SAVED.iterdir()) if SAVED.exists() else []
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} <= {0o600}
    return {path.name: path.read_text() for path in files}


async def test_without_buying_nothing_is_sold_and_nothing_is_kept(run_probe: Run) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, "--meter", METER)

        assert (ran.code, await switch.vends(), switch.on_record) == (0, 0, [])
    assert kept() == {}
    assert "as assumed" in about(ran, "reprint-parameters") and "RequestId" in about(ran, "reprint-parameters")
    assert "1003" in about(ran, "reprint-absence")
    assert "401" in about(ran, "access-token-refusal")
    assert "one row" in about(ran, "electricity-product")
    assert "minimumPurchaseAmount" in about(ran, "prevend-fields")


async def test_every_question_is_printed_once_as_proven_or_as_unknown(run_probe: Run) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, *BUY)

    told = re.findall(r"^  ([a-z][a-z-]+) ", ran.said.partition("\nPROVEN\n")[2], re.MULTILINE)
    assert sorted(told) == sorted(question.name for question in QUESTIONS)


@pytest.mark.parametrize(
    ("scenario", "keys", "change"),
    [
        ("00", "digits under token; kind under type", "as assumed"),
        ("60", "digits under value;", "as assumed"),
        ("61", "digits under tokenValue;", "as assumed"),
        ("62", "digits under pin;", "as assumed"),
        ("63", "bare texts", "as assumed"),
        ("64", "digits under token;", "as assumed"),
        ("68", "digits under stsToken;", "add stsToken to TOKEN_KEYS"),
    ],
)
async def test_it_finds_the_key_that_holds_the_token(run_probe: Run, scenario: str, keys: str, change: str) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, "--meter", f"990000000{scenario}", "--buy", "R20.00", "--save", SAVED)

    assert ran.code == 0
    assert keys in about(ran, "token-keys") and about(ran, "token-keys").endswith(change)


@pytest.mark.parametrize(
    ("reprint_by", "found", "change"),
    [
        ("both", "by our request id and by its transactionId", "MOBILEMART_REPRINT_BY=request_id"),
        ("request_id", "by our request id as assumed", "MOBILEMART_REPRINT_BY=request_id"),
        ("transaction_id", "by the switch's transactionId only", "MOBILEMART_REPRINT_BY=transaction_id"),
        ("none", "by neither id", "MOBILEMART_REPRINT_BY=none"),
    ],
)
async def test_it_finds_what_a_reprint_is_asked_by(run_probe: Run, reprint_by: str, found: str, change: str) -> None:
    async with supplier(reprint_by=reprint_by) as switch:
        ran = await run_probe("--url", switch.url, *BUY)

    assert ran.code == 0
    assert found in about(ran, "reprint-lookup") and change in about(ran, "reprint-lookup")


@pytest.mark.parametrize(("shows", "found"), [(True, "the same tokens"), (False, "the sale without any")])
async def test_it_finds_whether_a_reprint_delivers(run_probe: Run, shows: bool, found: str) -> None:
    async with supplier(reprint_shows_tokens=shows) as switch:
        ran = await run_probe("--url", switch.url, *BUY)

    assert found in about(ran, "reprint-tokens")


@pytest.mark.parametrize(
    ("behaviour", "found", "vends"), [("reject", "refused", 1), ("replay", "the first answer again", 1), ("vend_again", "SOLD AGAIN", 2)]
)
async def test_a_repeated_request_id_is_tried_only_when_asked_for_by_its_amount(
    run_probe: Run, behaviour: str, found: str, vends: int
) -> None:
    async with supplier(repeated_request_id=behaviour) as switch:
        once = await run_probe("--url", switch.url, *BUY)
        assert (once.code, await switch.vends(), about(once, "repeated-request-id")) == (0, 1, "")

        twice = await run_probe("--url", switch.url, *BUY, "--repeat-request-id", "R20.00")

        assert (twice.code, await switch.vends()) == (0, 1 + vends)
        assert switch.on_record == [True, True, True]
    assert found in about(twice, "repeated-request-id")


async def test_it_finds_that_a_prevend_has_expired(run_probe: Run) -> None:
    async with supplier(prevend_valid_seconds=0.5) as switch:
        ran = await run_probe("--url", switch.url, *BUY, "--prevend-age", 1)

        assert (ran.code, await switch.vends()) == (3, 0)
    assert "after 1 s: HTTP 400 code 1003" in about(ran, "prevend-validity")


@pytest.mark.parametrize(("code", "change"), [(1016, "as assumed"), (1099, "let code 1099 mean RECIPIENT_REFUSED in CODES")])
async def test_it_finds_the_answer_for_a_meter_that_does_not_exist(run_probe: Run, code: int, change: str) -> None:
    async with supplier(SwitchFault(Effect.REFUSED, on=Leg.PREVEND, code=code)) as switch:
        ran = await run_probe("--url", switch.url, "--meter", METER)

    assert str(code) in about(ran, "meter-unknown") and about(ran, "meter-unknown").endswith(change)


async def test_a_confirmed_meter_proves_nothing_about_an_unknown_one(run_probe: Run) -> None:
    async with supplier() as switch:
        confirmed = await run_probe("--url", switch.url, "--meter", METER)
        refused = await run_probe("--url", switch.url, "--meter", METER, "--unknown-meter", "99000000009")

    unknown = confirmed.said.partition("\nSTILL UNKNOWN\n")[2]
    assert "meter-unknown" in unknown and "it is confirmed, and was not bought" in confirmed.said
    assert "1016" in about(refused, "meter-unknown") and about(refused, "meter-unknown").endswith("as assumed")


async def test_services_without_a_reprint_are_distinguished_from_those_with_one(run_probe: Run) -> None:
    async with supplier(SwitchFault(Effect.WRONG_HOST, on="/v1/data/reprint")) as switch:
        ran = await run_probe("--url", switch.url)

    told = about(ran, "reprint-services")
    assert "take data out of REPRINTED" in told and "add airtime to REPRINTED" in told


async def test_a_mobile_number_in_the_wrong_form_is_reported(run_probe: Run) -> None:
    buy = ("--service", "airtime", "--mobile", "0850012345", "--product", "SimAirtime0000000000", "--buy", "R5.00", "--save", SAVED)
    async with supplier(SwitchFault(Effect.REFUSED, code=1013)) as switch:
        refused = await run_probe("--url", switch.url, *buy)
        taken = await run_probe("--url", switch.url, *buy)

        assert (refused.code, taken.code, await switch.vends()) == (1, 0, 1)
    assert "mobile_form" in about(refused, "mobile-number-form") and "as assumed" in about(taken, "mobile-number-form")


async def test_a_bill_is_asked_about_with_its_amount(run_probe: Run) -> None:
    async with supplier() as switch:
        ran = await run_probe(
            "--url", switch.url, "--service", "bill-payment", "--account", "135609708", "--product", "SimBiller00000000000"
        )

    assert (ran.code, about(ran, "bill-amount")) == (0, "bill-amount it is taken as assumed")


async def test_a_lost_answer_is_found_again_by_the_request_id_that_was_on_record_before(run_probe: Run) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, "--meter", "99000000040", "--buy", "R20.00", "--save", SAVED)

        assert (ran.code, await switch.vends(), switch.on_record) == (0, 1, [True])
    assert "no answer came that could be kept" in ran.said
    sent, lost, found = journal()
    assert (lost["outcome"], found["outcome"], found["by"]) == ("Unknown", "Vended", "reprint")
    assert sent["requestId"] == lost["requestId"] == found["requestId"]


async def test_a_sale_that_is_not_found_stays_in_doubt_until_a_later_run_finds_it(run_probe: Run) -> None:
    ledger, unshown = MemoryLedger(), SwitchFault(Effect.REFUSED, on=Leg.REPRINT, code=1012, times=None)
    async with supplier(unshown, ledger=ledger) as switch:
        doubtful = await run_probe("--url", switch.url, "--meter", "99000000040", "--buy", "R20.00", "--save", SAVED)
        request_id = journal()[0]["requestId"]
        switch.simulator = simulator(ledger=ledger)
        reminded = await run_probe("--url", switch.url, "--reprint", request_id, "--save", SAVED)
        done = await run_probe("--url", switch.url, "--save", SAVED)

        assert (doubtful.code, reminded.code, done.code, await switch.vends()) == (3, 0, 0, 1)
    assert f"--reprint {request_id}" in doubtful.said
    assert "not known to have ended" in reminded.said and "not known to have ended" not in done.said
    assert "at least until now" in about(reminded, "reprint-retention")


async def test_a_request_is_reprinted_only_at_the_switch_that_received_it(run_probe: Run) -> None:
    async with supplier() as theirs, supplier() as another:
        await run_probe("--url", theirs.url, *BUY)
        request_id = journal()[0]["requestId"]
        elsewhere = await run_probe("--url", another.url, "--reprint", request_id, "--save", SAVED)
        unheard_of = await run_probe("--url", theirs.url, "--reprint", "another", "--save", SAVED)

    assert (elsewhere.code, unheard_of.code) == (1, 1)
    assert f"it was sent to {theirs.url}" in elsewhere.said and "no request another" in unheard_of.said


async def test_a_refused_repeat_does_not_end_a_sale_in_doubt(run_probe: Run) -> None:
    unshown = SwitchFault(Effect.REFUSED, on=Leg.REPRINT, code=1012, times=None)
    async with supplier(unshown, SwitchFault(Effect.REPLY_LOST)) as switch:
        ran = await run_probe("--url", switch.url, *BUY, "--repeat-request-id", "R20.00")

        assert (ran.code, await switch.vends()) == (3, 1)
    assert [line["outcome"] for line in journal() if "outcome" in line] == ["Unknown", "Rejected"]


async def test_no_value_is_printed_and_stored_files_are_whole_and_readable_by_us_alone(run_probe: Run) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, "--meter", "99000000003", "--buy", "R20.00", "--save", SAVED)
        [vend] = await switch.simulator.vends()

    files = kept()
    whole = "".join(text for name, text in files.items() if "vend-" in name)
    assert len(vend.tokens) == 4 and all(token.number in whole for token in vend.tokens)
    secrets = [*(token.number for token in vend.tokens), *CONSUMER.values(), "99000000003", "simulated-secret", "simulated."]
    assert [secret for secret in secrets if secret in ran.said] == []
    assert not re.search(r"[0-9]{12}", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", ran.said))
    assert not any(token.number in files["requests.jsonl"] for token in vend.tokens)
    assert "99000000003" not in files["requests.jsonl"] and "access_token" not in "".join(files.values())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--meter", METER, "--buy", "R20.00"), "--buy needs --save"),
        (("--meter", METER, "--buy", "2000", "--save", "probed"), "must be an amount in rand"),
        (("--meter", METER, "--buy", "R0", "--save", "probed"), "must be an amount in rand"),
        (("--buy", "R20.00", "--save", "probed"), "--buy needs to know for whom"),
        (("--meter", METER, "--repeat-request-id", "R20.00"), "--repeat-request-id needs --buy"),
        ((*BUY, "--repeat-request-id", "R10.00"), "--repeat-request-id needs --buy, and the same amount"),
        ((*BUY, "--reprint", "some-id"), "and nothing else"),
        (("--reprint", "some-id"), "--reprint needs --save"),
        (("--service", "airtime", "--meter", METER), "--meter is for utility"),
        (("--service", "data", "--product", "SimData0000000000000"), "name whom"),
        (("--meter", "1234"), "must be 11 or 13 digits"),
    ],
)
async def test_a_command_without_all_that_buying_needs_is_refused_before_anything_is_asked(
    run_probe: Run, arguments: tuple[object, ...], why: str
) -> None:
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, *arguments)

        assert (ran.code, await switch.vends()) == (2, 0)
    assert why in ran.said


async def test_nothing_is_bought_that_cannot_be_recorded(run_probe: Run, tmp_path: Path) -> None:
    (tmp_path / SAVED / "requests.jsonl").mkdir(parents=True)
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, *BUY)

        assert (ran.code, await switch.vends()) == (1, 0)


async def test_our_own_simulator_is_not_taken_for_the_supplier(run_probe: Run) -> None:
    async with supplier(marked=True) as switch:
        ran = await run_probe("--url", switch.url, *BUY)

        assert (ran.code, await switch.vends()) == (1, 0)
    assert "marked as simulated" in ran.said


async def test_refused_credentials_end_it_without_showing_them(run_probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_CLIENT_SECRET", "of-another-environment")
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url, *BUY)

        assert (ran.code, await switch.vends()) == (1, 0)
    assert "401" in ran.said and "of-another-environment" not in ran.said
    assert "Nothing was proven" in ran.said and "STILL UNKNOWN" not in ran.said


async def test_credentials_come_from_secret_manager_as_for_the_functions(run_probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"projects/p/secrets/id/versions/1": SIMULATED_CLIENT_ID.encode(), "projects/p/secrets/secret/versions/1": b"kept-there"}
    monkeypatch.delenv("PROBE_CLIENT_ID")
    for variable, name in zip(("MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET"), names, strict=True):
        monkeypatch.setenv(variable, name)
    with secret_manager(names) as secrets:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", secrets.address)
        async with supplier(client_secret="kept-there") as switch:
            ran = await run_probe("--url", switch.url)

    assert (ran.code, sorted(secrets.asked)) == (0, sorted([*names, *names]))


async def test_credentials_that_are_nowhere_are_asked_for(run_probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBE_CLIENT_SECRET")
    asked: list[str] = []
    monkeypatch.setattr("local.probe.__main__.getpass", lambda prompt: asked.append(prompt) or "simulated-secret")
    async with supplier() as switch:
        ran = await run_probe("--url", switch.url)

    assert (ran.code, asked) == (0, ["PROBE_CLIENT_SECRET: "])


def test_without_credentials_and_a_terminal_it_says_where_they_come_from(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROBE_")} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "local.probe", "--url", "http://127.0.0.1:9"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    said = "no credentials: without a terminal they come from PROBE_CLIENT_ID and PROBE_CLIENT_SECRET\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


async def test_an_address_that_the_functions_refuse_is_refused(run_probe: Run) -> None:
    ran = await run_probe("--url", "https://api.mobilemart.co.za")

    assert ran.code == 2 and "must be the Fulcrum switch" in ran.said


def test_the_production_switch_may_be_asked_by_a_person() -> None:
    assert configuration({}, PRODUCTION_URL).supplier_url == PRODUCTION_URL


async def test_a_probe_that_is_interrupted_while_it_buys_leaves_the_request_on_record(tmp_path: Path) -> None:
    async with supplier() as switch:
        command = [
            sys.executable,
            "-m",
            "local.probe",
            "--url",
            switch.url,
            "--meter",
            "99000000045",
            "--buy",
            "R20.00",
            "--save",
            str(SAVED),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        async with asyncio.timeout(30):
            while await switch.vends() == 0:  # its answer will never arrive
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            code = await process.wait()

    assert code == 3
    assert [(line["attempt"], line["amountCents"], line["to"]) for line in journal()] == [(1, 2000, "*0045")]
