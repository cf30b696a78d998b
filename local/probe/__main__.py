"""`python -m local.probe`: puts the open questions to the supplier itself, with the functions' own client.

    python -m local.probe --url https://uat.fulcrumswitch.com --meter 12345678901
    python -m local.probe --url https://uat.fulcrumswitch.com --meter 12345678901 --buy R20.00 --save .local/probed

Without `--buy` the probe buys nothing; with it the probe buys once, for money.
The probe prints no values. `--save` stores the whole answers.
At the end the probe prints what was proven, what is still unknown, and which setting to change.
`docs/supplier-questions.md` has the rest.

The credentials come from Secret Manager, as for the functions, if MOBILEMART_CLIENT_ID_SECRET and
MOBILEMART_CLIENT_SECRET_SECRET name them. Otherwise they come from PROBE_CLIENT_ID and PROBE_CLIENT_SECRET.
Without these a hidden prompt asks for them. Exit codes are those of `local.smoke`.
"""

import argparse
import asyncio
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Final, assert_never

from local.probe import purchase_checks, read_checks
from local.probe.findings import Finding
from local.probe.output import ProbeOutput
from local.probe.questions import QUESTIONS
from local.probe.switch import Switch
from local.terminal import Exit, Steps, Stop, Verdict, rand
from shared.config import Config, ConfigError, load
from shared.domain.money import Money
from shared.domain.vas import ACCOUNT_NUMBER, METER_NUMBER, PREVENDED, WITHOUT_RECIPIENT, Order, VasType, msisdn
from shared.gcp.secret_manager import Secrets, supplier_credentials
from shared.mobilemart.http_exchange import live_transport
from shared.ports.credentials import Credentials, GetCredentials, SupplierSecrets

USUAL: Final = Money(2_000)  # the amount of a prevend if no amount is named
SECRET_NAMES: Final = ("MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET")
CREDENTIALS: Final = ("PROBE_CLIENT_ID", "PROBE_CLIENT_SECRET")

_NOT_NAMED: Final = "projects/none/secrets/asked-for/versions/1"  # stands in if the credentials do not come from Secret Manager


class _NoCredentials(Exception):
    """No credentials exist, and nobody can type them. The text names the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the requested steps, and return the exit code."""
    options = read_options(arguments)
    try:
        config = configuration(os.environ, options.url)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return Exit.REFUSED
    try:
        return asyncio.run(_probe(options, config))
    except _NoCredentials as missing:
        print(missing, file=sys.stderr)
        return Exit.REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted. A request that was sent goes on without us: --reprint with its id, from the journal", file=sys.stderr)
        return Exit.IN_DOUBT


def configuration(environ: Mapping[str, str], url: str | None) -> Config:
    """Return the settings of the supplier's client: the functions' own variables, and their defaults.

    Raises:
        ConfigError: as at the start of a function.
    """
    names = [name for name in environ if name.startswith("MOBILEMART_") or name == "SECRET_MANAGER_EMULATOR_HOST"]
    theirs = {name: environ[name] for name in names if name != "MOBILEMART_LIVE_INTEGRATION"}
    address = {} if url is None else {"MOBILEMART_API_URL": url}
    unnamed = {} if any(environ.get(name) for name in SECRET_NAMES) else dict.fromkeys(SECRET_NAMES, _NOT_NAMED)
    ours = {"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "true", "TRANSACTION_STORE": "sqlite:///unused"}
    return load({**theirs, **address, **unnamed, **ours}, "probe")


async def _probe(options: argparse.Namespace, config: Config) -> int:
    logging.getLogger().addHandler(logging.NullHandler())  # the steps print what the client would log
    output = ProbeOutput(Steps(), options.save)
    secrets = Secrets(config.secret_manager_emulator)
    credentials = _credentials(config.supplier_secrets, secrets)
    print(f"asking {config.supplier_url}{', buying for ' + str(options.buy) if options.buy else ', buying nothing'}\n", flush=True)
    switch = Switch(live_transport(), config, credentials)
    try:
        await _steps(options, switch, output)
    except Stop as stop:
        output.steps.end(stop.verdict, stop.saw, *stop.advice)
    except OSError as error:
        output.steps.end(Verdict.FAIL, f"nothing could be written: {error.strerror}", "nothing is bought that is not on record first")
    finally:
        await switch.aclose()
        await secrets.close()
    print(_summary(output))
    in_doubt = Verdict.DOUBT in output.steps.verdicts and purchase_checks.unended(output)
    return Exit.IN_DOUBT if in_doubt else Exit.FAILED if Verdict.FAIL in output.steps.verdicts else Exit.DONE


async def _steps(options: argparse.Namespace, switch: Switch, output: ProbeOutput) -> None:
    if output.folder is not None:
        for line in purchase_checks.unended(output):
            print(f"not known to have ended: --reprint {line['requestId']}, of {line['at']}\n", flush=True)
    await read_checks.access(switch, output)
    if options.reprint is not None:
        await purchase_checks.reprint_earlier(switch, output, options.reprint)
        return
    order = await read_checks.products(switch, output, _order(options))
    await read_checks.reprints_of_nothing(switch, output)
    if order is None:
        return
    prevend_id = await read_checks.prevend(switch, output, order, options.unknown_meter)
    if options.buy is not None:
        repeat = options.repeat_request_id is not None
        await purchase_checks.buy(switch, output, order, prevend_id, age_seconds=options.prevend_age, repeat=repeat)


def _credentials(names: SupplierSecrets | None, secrets: Secrets) -> GetCredentials:
    if names is not None and names.client_id != _NOT_NAMED:
        return supplier_credentials(secrets, names)
    client_id, client_secret = (os.environ.get(name) or _asked_for(name) for name in CREDENTIALS)

    async def given(_refused: bool) -> Credentials:
        return Credentials(client_id, client_secret)

    return given


def _asked_for(name: str) -> str:
    """Read a value from a hidden prompt, and never from one that shows the value.

    Raises:
        _NoCredentials: nobody can type it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            return getpass(f"{name}: ")
        except (EOFError, GetPassWarning):
            raise _NoCredentials(f"no credentials: without a terminal they come from {' and '.join(CREDENTIALS)}") from None


def _order(options: argparse.Namespace) -> Order | None:
    """Return the order to ask about; `None` if the options name no recipient."""
    if not (options.meter or options.account or options.mobile or options.product):
        return None
    return Order(
        vas_type=options.service,
        amount=options.buy or options.amount,
        merchant_product_id=options.product,
        meter_number=options.meter,
        account_number=options.account,
        mobile_number=options.mobile,
        pinned=options.pinned,
    )


def _summary(output: ProbeOutput) -> str:
    """Print every question: proven with its consequence, or still unknown with its remedy. Without any proof, print only that."""
    if not output.found:
        return f"\nNothing was proven: all {len(QUESTIONS)} questions stay open. docs/supplier-questions.md has them."
    proven = [_proven(output.found[question.name]) for question in QUESTIONS if question.name in output.found]
    unknown = [question for question in QUESTIONS if question.name not in output.found]
    lines = ["", "PROVEN", *(proven or ["  nothing"]), "", "STILL UNKNOWN"]
    for question in unknown:
        lines += [f"  {question.name:22} {question.text}", f"  {'':22} {question.ask}. Held by {question.held_by}"]
    return "\n".join([*lines, "", "docs/supplier-questions.md has each of them, and why nothing sells twice meanwhile."])


def _proven(finding: Finding) -> str:
    return f"  {finding.question:22} {finding.proven}\n  {'':22} {finding.change}"


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command's options.

    Raises:
        SystemExit: 2, if the options make no sense, or ask to buy without all that buying needs.
    """
    parser = argparse.ArgumentParser(prog="python -m local.probe", description="What only the supplier itself can tell, asked of it.")
    parser.add_argument("--url", help="the switch; default: MOBILEMART_API_URL")
    parser.add_argument("--service", type=VasType, default=VasType.UTILITY, help=", ".join(VasType))
    parser.add_argument("--meter", type=_meter)
    parser.add_argument(
        "--unknown-meter", type=_meter, default=read_checks.NO_METER, help=f"one that does not exist; {read_checks.NO_METER}"
    )
    parser.add_argument("--account", type=_account)
    parser.add_argument("--mobile", type=_mobile)
    parser.add_argument("--product", help="merchantProductId; electricity's only one need not be named")
    parser.add_argument("--pinned", action="store_true", help="airtime or data as a PIN")
    parser.add_argument("--amount", type=rand, default=USUAL, metavar="R20.00", help=f"what a prevend is asked for; {USUAL}")
    parser.add_argument("--buy", type=rand, metavar="R20.00", help="buy, once, for this: it is real, and cannot be undone")
    parser.add_argument("--prevend-age", type=int, default=0, metavar="SECONDS", help="wait so long between prevend and purchase")
    parser.add_argument(
        "--repeat-request-id",
        type=rand,
        metavar="R20.00",
        help="send the purchase a second time under its request id: it may cost this once more",
    )
    parser.add_argument("--reprint", metavar="REQUEST_ID", help="have a sale of an earlier run shown again, and do nothing else")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="keep answers as they came, tokens and all, and the journal of requests"
    )
    options = parser.parse_args(arguments)
    for fault in _faults(options):
        parser.error(fault)
    return options


def _recipient(options: argparse.Namespace) -> str | None:
    """Return the recipient of the service, among the options."""
    service: VasType = options.service
    number: str | None
    match service:
        case VasType.UTILITY:
            number = options.meter
        case VasType.BILL_PAYMENT:
            number = options.account
        case VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:
            number = options.mobile
        case _:
            assert_never(service)
    return number


def _faults(options: argparse.Namespace) -> Sequence[str]:
    """Return what is wrong with the options together."""
    return (*_recipient_faults(options), *_purchase_faults(options))


def _recipient_faults(options: argparse.Namespace) -> Sequence[str]:
    recipient = _recipient(options)
    given = [number for number in (options.meter, options.account, options.mobile) if number is not None]
    needs_recipient = options.service in PREVENDED or (options.service not in WITHOUT_RECIPIENT and not options.pinned)
    faults = []
    if given != [number for number in (recipient,) if number is not None]:
        faults.append("--meter is for utility, --account for bill-payment, --mobile for airtime and data")
    if options.product is not None and needs_recipient and recipient is None:
        faults.append(f"{options.service} is for somebody: name whom")
    return faults


def _purchase_faults(options: argparse.Namespace) -> Sequence[str]:
    faults = []
    if options.buy is not None and options.save is None:
        faults.append("--buy needs --save: what is bought here exists nowhere else")
    if options.buy is not None and (_order(options) is None or options.reprint is not None):
        faults.append("--buy needs to know for whom or what, and nothing else: --meter, --account, --mobile or --product")
    if options.repeat_request_id not in (None, options.buy):
        faults.append("--repeat-request-id needs --buy, and the same amount: it may be spent a second time")
    if options.reprint is not None and options.save is None:
        faults.append("--reprint needs --save with the folder of the run that sold")
    return faults


def _meter(text: str) -> str:
    return _matching(METER_NUMBER, text, "11 or 13 digits")


def _account(text: str) -> str:
    return _matching(ACCOUNT_NUMBER, text, "5 to 20 digits")


def _matching(pattern: re.Pattern[str], text: str, meaning: str) -> str:
    if not pattern.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be {meaning}")
    return text


def _mobile(text: str) -> str:
    number = msisdn(text)
    if number is None:
        raise argparse.ArgumentTypeError("must be a South African mobile number")
    return number


if __name__ == "__main__":
    sys.exit(main())
