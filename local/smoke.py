"""`python -m local.smoke`: tests whether a deployment answers, confirms a meter and, with `--buy`, sells.

    python -m local.smoke --url http://127.0.0.1:8080 --buy
    python -m local.smoke --prevend-url https://... --purchase-url https://... --token ... --meter 12345678901 --buy R20.00

The command prints each step. It sells at most once under its key, and stores and prints the key before it buys.
The same command with `--key` finds that sale again and sells nothing.
Exit codes: 0 passed; 1 something failed; 2 refused, and nothing was bought; 3 a sale has not ended: ask again by its key.
"""

import argparse
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from local.deployment import READ_SECONDS, Deployment, Purchase, meter_of, object_of, refusal
from local.purchase_log import PurchaseLog
from local.receipt_printer import slip
from local.terminal import Exit, Steps, Stop, Verdict, rand, safe_text
from shared.domain.money import Money
from shared.domain.policy import Environment
from shared.domain.sts_tokens import token_number
from shared.domain.vas import METER_NUMBER, Mode, VasType
from shared.lib.env import is_loopback, split_address

SIMULATED_METER: Final = "12345678901"
SMALL: Final = Money(1_000)
UNNAMED: Final = Money(0)  # `--buy` without an amount
JOURNAL: Final = Path(".local/smoke.jsonl")
PATIENCE_SECONDS: Final = 300.0
TOKEN_VARIABLE: Final = "SMOKE_TOKEN"

_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)


class SmokeRefused(Exception):
    """The command would spend money without a named amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """The steps over one deployment."""

    to: Deployment
    options: argparse.Namespace
    steps: Steps
    sleep: Callable[[float], None]

    def run(self) -> None:
        """Take the steps, in order.

        Raises:
            Stop: a step failed, and the next ones make no sense.
            SmokeRefused: the deployment is live, and the amount or the meter was not named.
        """
        mode = self._health()
        order = self._order(mode)
        if self.options.key is None:  # a sale that has begun is found even if nothing new can be sold
            self._products(VasType.UTILITY)
            for vas_type in [other for other in VasType if other is not VasType.UTILITY]:
                try:
                    self._products(vas_type)
                except Stop as stop:  # electricity is sold without this list
                    self.steps.end(stop.verdict, stop.saw, *stop.advice)
            self._prevend(order, mode)
        self.steps.begin("purchase")
        if self.options.buy is None or order is None:
            self.steps.end(Verdict.SKIP, "not asked for: --buy")
        else:
            self._purchase(order, mode)

    def _health(self) -> Mode:
        """Ask both functions where sales go; they must agree."""
        heard = []
        for name, url in (("prevend", self.to.prevend), ("purchase", self.to.purchase)):
            self.steps.begin(f"{name} /health")
            body = self._object(self.to.get(f"{url}/health"))
            heard.append((str(body.get("environment")), str(body.get("mode"))))
            self.steps.end(Verdict.PASS, f"environment {safe_text(heard[-1][0])}, mode {safe_text(heard[-1][1])}")
        self.steps.begin("one deployment")
        (environment, mode), other = heard
        if (environment, mode) != other or mode not in set(Mode) or environment not in set(Environment):
            raise Stop(Verdict.FAIL, "the two are not of one environment and mode", "are both addresses of the same deployment?")
        if environment == Environment.PRODUCTION and mode != Mode.LIVE:
            raise Stop(Verdict.FAIL, "production that is not live", "that refuses to start: whose addresses are these?")
        return Mode(mode)

    def _order(self, mode: Mode) -> dict[str, object] | None:
        """Return the order, the same in every repeat; `None` if no meter is known."""
        options = self.options
        if mode is Mode.LIVE and options.buy is not None and (options.buy is UNNAMED or options.meter is None):
            raise SmokeRefused("this deployment sells for money: name the amount and the meter, --buy R20.00 --meter ...")
        meter = options.meter or (SIMULATED_METER if mode is Mode.SIMULATED else None)
        if meter is None:
            return None
        amount = SMALL if options.buy in (None, UNNAMED) else options.buy
        product = {} if options.product is None else {"merchantProductId": options.product}
        return {"meterNumber": meter, "amountCents": amount.cents, **product}

    def _products(self, vas_type: VasType) -> None:
        self.steps.begin(f"products {vas_type}")
        products = self._object(self.to.get(f"{self.to.prevend}/{vas_type}/products")).get("products")
        if not isinstance(products, list):
            raise Stop(Verdict.FAIL, "no list of products")
        names = [safe_text(product.get("name")) for product in products if isinstance(product, dict)]
        shown = f"{len(names)}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "none"
        if vas_type is not VasType.UTILITY or len(names) == 1:
            self.steps.end(Verdict.PASS, shown)
        else:
            verdict = Verdict.PASS if names else Verdict.FAIL
            self.steps.end(verdict, shown, "electricity wants one: by MOBILEMART_UTILITY_PRODUCT_ID, here by --product")

    def _prevend(self, order: Mapping[str, object] | None, mode: Mode) -> None:
        if order is None:
            self.steps.begin("prevend")
            self.steps.end(Verdict.SKIP, "a live meter has to be named: --meter")
            return
        self.steps.begin(f"prevend {meter_of(order)}")
        confirmed = self._object(self.to.confirm(order))
        self._same(confirmed, order, mode)
        least, due = (_amount(confirmed.get(name)) for name in ("minimumAmountCents", "amountDueCents"))
        consumer = "named" if confirmed.get("consumer") else "not named"
        self.steps.end(
            Verdict.PASS,
            f"{_amount(order['amountCents'])} confirmed until {safe_text(confirmed.get('expiresAt'))}",
            f"minimum {least}, due {due}, consumer {consumer}",
        )

    def _purchase(self, order: Mapping[str, object], mode: Mode) -> None:
        key = self.options.key or f"smoke-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        journal = PurchaseLog(self.options.journal)
        asked = {"url": self.to.purchase, "meter": meter_of(order), "amountCents": order["amountCents"]}
        for line in journal.lines():
            if line.get("key") == key and any(line.get(name, value) != value for name, value in asked.items()):
                raise SmokeRefused(
                    f"key {key} was made for another purchase, which {journal.path} has: say --url, --meter and --buy as they were"
                )
        self.steps.begin(f"purchase {meter_of(order)}")
        journal.write(key=key, **asked)
        self.steps.note(f"key {key}, written to {journal.path}")
        purchase = Purchase(to=self.to, order=order, key=key, patience_seconds=self.options.patience)
        try:
            response = purchase.until_ended(self.steps, self.sleep)
        except Stop as stop:
            with suppress(OSError):  # the log has the key, and the key finds the sale
                journal.write(key=key, saw=stop.saw)
            raise
        sale = object_of(response)
        with suppress(OSError):
            journal.write(key=key, transactionId=sale.get("transactionId"), state=sale.get("state"))
        self.steps.note(f"sale {safe_text(sale.get('transactionId'))}")
        self._same(sale, order, mode)
        replayed = ", the answer to a repeat" if "idempotent-replayed" in response.headers else ""
        self.steps.end(Verdict.PASS, f"201 vended{replayed}", _delivered(sale))
        self._repeated(purchase, response)
        self._found(key, sale)
        print(self._what_next(sale, key))

    def _repeated(self, purchase: Purchase, first: httpx.Response) -> None:
        self.steps.begin("the same key again")
        again = purchase.until_ended(self.steps, self.sleep)
        if "idempotent-replayed" not in again.headers or again.content != first.content:
            raise Stop(Verdict.FAIL, "not the same answer", "was it sold again? Look at both sales before anything else")
        self.steps.end(Verdict.PASS, "201, the same bytes: nothing was sold again")

    def _found(self, key: str, sale: Mapping[str, Any]) -> None:
        self.steps.begin("the sale by its key")
        found = self._object(self.to.get(f"{self.to.purchase}/transactions", {"idempotencyKey": key}))
        if found != sale:
            raise Stop(Verdict.FAIL, "another sale than was answered")
        self.steps.end(Verdict.PASS, f"200, {safe_text(found['state'])}")

    def _what_next(self, sale: Mapping[str, Any], key: str) -> str:
        if self.options.show_token:
            return f"\n{slip(sale)}"
        by_hand = f"GET {self.to.purchase}/transactions/{safe_text(sale.get('transactionId'))}"
        shown = f"\nWhat was bought is on record. To see it: this command with --key {key} --show-token, or\n  {by_hand}"
        return shown if sale.get("simulated") is True else f"{shown}\n{_amount_check(sale)}"

    def _same(self, body: Mapping[str, Any], order: Mapping[str, object], mode: Mode) -> None:
        """Check that an answer is about the order, and of the deployment's own mode."""
        if body.get("simulated") is not (mode is Mode.SIMULATED):
            raise Stop(Verdict.FAIL, f"says simulated: {safe_text(body.get('simulated'))} in mode {mode}")
        for name, value in order.items():
            if body.get(name) != value:
                raise Stop(Verdict.FAIL, f"{name} is not what was asked for")

    def _object(self, response: httpx.Response) -> Mapping[str, Any]:
        if response.status_code != 200 or not (body := object_of(response)):
            raise refusal(response)
        return body


def main(arguments: Sequence[str] | None = None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Take the requested steps, and return the exit code."""
    options = read_options(arguments)
    trusts_environment = not all(is_loopback(httpx.URL(url).host) for url in (options.prevend_url, options.purchase_url))
    steps = Steps()
    with httpx.Client(timeout=httpx.Timeout(READ_SECONDS, connect=10), trust_env=trusts_environment) as http:
        to = Deployment(http, options.prevend_url, options.purchase_url, options.token)
        try:
            Smoke(to=to, options=options, steps=steps, sleep=sleep).run()
        except Stop as stop:
            steps.end(stop.verdict, stop.saw, *stop.advice)
        except OSError as error:
            steps.end(
                Verdict.FAIL, f"{options.journal} cannot be written: {error.strerror}", "nothing is bought that is not on record first"
            )
        except SmokeRefused as refused:
            print(f"refused: {refused}")
            return Exit.REFUSED
        except KeyboardInterrupt:
            print("\ninterrupted: whatever was begun goes on without this command, and is found by its --key")
            return Exit.IN_DOUBT
    return _exit_code(steps)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command's options.

    Raises:
        SystemExit: 2, if they make no sense.
    """
    parser = argparse.ArgumentParser(
        prog="python -m local.smoke", description="Whether a deployment answers, confirms a meter and, with --buy, sells."
    )
    parser.add_argument("--url", type=_address, help="where the functions are under /prevend and /purchase, as with `make run`")
    parser.add_argument("--prevend-url", type=_address, help="prevend's own address: `terraform output uris`")
    parser.add_argument("--purchase-url", type=_address, help="purchase's own address")
    parser.add_argument("--token", default=os.environ.get(TOKEN_VARIABLE), help=f"whose caller it is; default: ${TOKEN_VARIABLE}")
    parser.add_argument("--meter", type=_meter, help=f"whose electricity; default, when simulated: {SIMULATED_METER}")
    parser.add_argument("--product", help="merchantProductId, where there is more than one for electricity")
    parser.add_argument("--buy", type=rand, nargs="?", const=UNNAMED, metavar="R20.00", help=f"buy; when simulated {SMALL} by default")
    parser.add_argument("--key", type=_key, help="the key of an earlier run: finds its sale, or makes it if it was never taken")
    parser.add_argument("--show-token", action="store_true", help="print the slip, token and all: whoever reads it can spend it")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS", help="how long to ask for a sale's end")
    parser.add_argument("--journal", type=Path, default=JOURNAL, metavar="FILE", help=f"where keys and sales are written; {JOURNAL}")
    options = parser.parse_args(arguments)
    if options.url is not None:
        options.prevend_url = options.prevend_url or f"{options.url}/prevend"
        options.purchase_url = options.purchase_url or f"{options.url}/purchase"
    if options.prevend_url is None or options.purchase_url is None:
        parser.error("say where: --url, or --prevend-url and --purchase-url")
    if options.key is not None and options.buy is None:
        parser.error("--key is a purchase's: say --buy with the amount that it was made with")
    return options


def _address(text: str) -> str:
    parts = split_address(text)
    if parts is None or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not is_loopback(parts.hostname)):
        raise argparse.ArgumentTypeError("must be https://, or http:// on this machine: a token is sent there")
    return text.rstrip("/")


def _meter(text: str) -> str:
    if not METER_NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 11 or 13 digits")
    return text


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 1 to 255 visible ASCII characters")
    return text


def _amount(cents: object) -> str:
    return str(Money(cents)) if type(cents) is int else "not said"


def _amount_check(sale: Mapping[str, Any]) -> str:
    """Name the `MOBILEMART_AMOUNT_CHECK` that the sale's raw answer supports. Operators see that answer; wallets do not."""
    cents = sale["amountCents"]
    return (
        f"How did the supplier write the amount? GET /transactions/{safe_text(sale.get('transactionId'))} of reconcile, under answers:\n"
        f"  {Money(cents).rand:.2f}, in rand as it was sent: set MOBILEMART_AMOUNT_CHECK=doubt\n"
        f"  {cents} in cents, with or without charges, or not at all: keep MOBILEMART_AMOUNT_CHECK=alert, and tell the engineer"
    )


def _delivered(sale: Mapping[str, Any]) -> str:
    """Summarise the receipt without its secrets: the number of tokens of each kind, and the energy."""
    receipt = sale.get("receipt")
    if not isinstance(receipt, dict) or not isinstance(receipt.get("tokens"), list):
        raise Stop(Verdict.FAIL, "vended without a receipt")
    tokens = receipt["tokens"]
    if any(token_number(token.get("number")) is None for token in tokens):
        raise Stop(Verdict.FAIL, "a token that is not 20 digits")
    kinds = ", ".join(safe_text(token.get("kind")) for token in tokens) or "no token is due"
    return f"tokens: {kinds}; {safe_text(receipt.get('units') or 'no')} {safe_text(receipt.get('unitType') or 'kWh')}"


def _exit_code(steps: Steps) -> int:
    failed, doubts = steps.verdicts.count(Verdict.FAIL), steps.verdicts.count(Verdict.DOUBT)
    print(f"\n{steps.verdicts.count(Verdict.PASS)} passed, {failed} failed, {doubts} in doubt")
    return Exit.IN_DOUBT if doubts else Exit.FAILED if failed else Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
