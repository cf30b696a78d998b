"""One file that cannot be read costs its own day only, and what harms nothing in a file is read and noted."""

import gzip
import json
import os
import shutil
from datetime import date
from typing import Any

import pytest

from shared.mobilemart.settlement_file import BINNED
from tests.deployed.shop import ONE_DAY, PATIENCE_SECONDS, Sale, Shop, own, sold_day
from tests.deployed.switchboard import never_vends
from tests.stand_ins.storage import Fault, storage

# One object that cannot be read costs its own day only.


def unreadable(shop: Shop, day: date, kind: str) -> str:
    """Something that is no file, in the place of a day's file; its name."""
    path = shop.deliver(day, [])
    path.unlink()
    match kind:
        case "dangling link":
            path.symlink_to("nowhere.txt")
        case "link to itself":
            path.symlink_to(path.name)
        case "folder":
            path.mkdir()
            return path.name
        case "link to a folder":
            path.symlink_to(shop.folder.parent, target_is_directory=True)
        case "pipe":
            os.mkfifo(path)
        case "link to a device":
            path.symlink_to("/proc/self/mem")
    return path.name


@pytest.mark.parametrize("kind", ["dangling link", "link to itself", "folder", "link to a folder", "link to a device"])
def test_what_cannot_be_read_costs_its_own_day_only(shop: Shop, kind: str) -> None:
    day, sales = sold_day(shop)
    shop.deliver(day, [sale.vend for sale in sales])
    name = unreadable(shop, day - ONE_DAY, kind)
    try:
        with shop.listening() as said:
            run = shop.settle_all()
        settled = {one["day"]: one["status"] for one in run["days"]}
        assert settled[day.isoformat()] == "balanced"
        if "folder" not in kind:  # which is no file, and named as what was not taken
            [refused] = [one for one in run["refused"] if one["file"] == name]
            assert (refused["day"], refused["reason"] != "") == ((day - ONE_DAY).isoformat(), True)
            assert [line["day"] for line in said if line.get("reason") == refused["reason"]] == [refused["day"]]
            assert name in json.dumps(shop.report(day - ONE_DAY))
        assert name in json.dumps(run)
    finally:
        path = shop.folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def test_a_pipe_in_the_place_of_a_file_holds_up_nothing(shop: Shop) -> None:
    day, sales = sold_day(shop)
    shop.deliver(day, [sale.vend for sale in sales])
    name = unreadable(shop, day - ONE_DAY, "pipe")
    reconcile = shop.another("reconcile")
    try:
        run = reconcile.http.post("/settle", timeout=PATIENCE_SECONDS).raise_for_status().json()
    finally:
        reconcile.process.kill()
    assert name in json.dumps(run)
    assert [one["status"] for one in run["days"] if one["day"] == day.isoformat()] == ["balanced"]


FAULTS = {
    "403": Fault(status=403),
    "404": Fault(status=404),
    "403 from the second part on": Fault(status=403, since=65_000),
}


def test_objects_of_a_bucket_cost_their_own_days_only(shop: Shop) -> None:
    first = shop.fresh_day()
    sold: dict[str, tuple[date, Sale]] = {}
    with storage("demo-evidence") as bucket:
        for at, how in enumerate(("whole", *FAULTS, "gzip", "gzip that is expanded", "whole at last")):
            day = first + at * ONE_DAY
            shop.clocks.not_before(day)
            sold[how] = day, shop.buy()
            content = shop.file(day, [sold[how][1].vend])
            content = content.replace(b"T|3", b"".join(strange(sold[how][1], at) for at in range(60)) + b"T|63")
            name = f"FULCRUM.MERCHANT.ACME.RECON.{day + ONE_DAY:%Y%m%d}0500.txt"
            bucket.deliver(name, gzip.compress(content) if "gzip" in how else content)
            if how in FAULTS:
                bucket.faults[f"in/{name}"] = FAULTS[how]
            if "gzip" in how:
                bucket.encodings[f"in/{name}"] = "gzip"
        shop.clocks.not_before(day + 2 * ONE_DAY)
        place = {
            "SETTLEMENT_FILES": "gs://demo-evidence/in",
            "STORAGE_EMULATOR_HOST": bucket.address,
            "GOOGLE_CLOUD_PROJECT": "demo-evidence",
        }
        reconcile = shop.another("reconcile", **place)
        try:
            for expands in (False, True):
                bucket.expands = expands
                run = reconcile.http.post("/settle").raise_for_status().json()
                refused = {one["day"] for one in run["refused"]}
                assert refused == {sold[how][0].isoformat() for how in FAULTS}
                matched = {one["day"]: one["matched"]["rows"] for one in run["days"]}
                assert {how: matched[day.isoformat()] for how, (day, _) in sold.items() if how not in FAULTS} == dict.fromkeys(
                    set(sold) - set(FAULTS), 1
                )
            bucket.faults.clear()
            assert reconcile.http.post("/settle").raise_for_status().json()["refused"] == []
            bucket.down = True
            before = len(reconcile.process.words)
            assert reconcile.http.post("/settle").status_code == 503
            assert "Forbidden" in reconcile.process.words[before:]
        finally:
            reconcile.process.kill()


def strange(sale: Sale, at: int) -> bytes:
    """A line that bills nothing, so that the file has more than one part."""
    line = sale.vend.line(status=BINNED, merchant_id="", meter_number="", transaction_id=f"{at:08d}-0d1c-4c3c-9a53-1f2f4f1f9a10")
    long = ("vas_category", "provider", "tender_type", "barcode", "product_name", "serial_number", "units", "municipality")
    texts = dict.fromkeys(long, "A" * 128)
    return f"{line._replace(**texts, amount=str(700_000 + at)).text}|\n".encode()


def test_a_day_whose_own_object_cannot_be_read_is_refused_by_its_name(shop: Shop) -> None:
    day, _ = sold_day(shop)
    name = unreadable(shop, day, "dangling link")
    answer = shop.reconcile.http.post("/settle", params={"day": day.isoformat()})
    assert answer.status_code == 422 and name in answer.text
    assert [one["file"] for one in shop.settle_all()["refused"]] == [name]


ALIKE = [
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.TXT",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.txt.gz",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp} (1).txt",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.Txt",
    "fulcrum.merchant.acme.recon.{stamp}.txt",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.txt.filepart",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.csv",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.zip",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}.txt ",
    "FULCRUM.MERCHANT.ACME.RECON.{stamp}-corrected.txt",
    "FULCRUM_MERCHANT_ACME_RECON_{stamp}.txt",
    "Copy of FULCRUM.MERCHANT.ACME.RECON.{stamp}.txt",
]


def test_names_that_look_like_a_settlement_file_and_are_not_taken_are_named(shop: Shop) -> None:
    day, sales = sold_day(shop)
    names = {name.format(stamp=f"{day + ONE_DAY:%Y%m%d}0500") for name in ALIKE}
    for name in names:
        (shop.folder / name).write_bytes(shop.file(day, [sale.vend for sale in sales]))
    run = shop.settle_all()
    assert {name for name in names if json.dumps(name) not in json.dumps(run)} == set()
    assert [one["status"] for one in run["days"] if one["day"] == day.isoformat()] == ["file_missing"]


def test_a_place_that_cannot_be_listed_is_503_and_says_why(shop: Shop) -> None:
    shop.fresh_day()
    away = shop.folder.with_name("away")
    shop.folder.rename(away)
    try:
        with shop.listening() as said:
            answer = shop.reconcile.http.post("/settle")
    finally:
        away.rename(shop.folder)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/settlement-files-unavailable")
    assert [line for line in said if line["severity"] in {"ERROR", "CRITICAL"} and line.get("cause")]


# The reader takes what harms nothing, and says so.


def odd(content: bytes, how: str) -> bytes:
    """A day's file with something odd in it."""
    header, *lines, trailer = content.rstrip(b"\n").split(b"\n")
    match how:
        case "blank lines behind the trailer":
            return content + b"\n\n"
        case "blank lines of CRLF":
            return content.replace(b"\n", b"\r\n") + b"\r\n\r\n"
        case "spaces behind the trailer":
            return content + b"   \n\t\n"
        case "Ctrl-Z":
            return content + b"\x1a"
        case "Ctrl-Z on a line, then a blank one":
            return content + b"\x1a\r\n\r\n"
        case "Ctrl-Z right behind the count":
            return content.rstrip(b"\n") + b"\x1a"
        case "a separator behind the header":
            return b"\n".join([header + b"|", *lines, trailer, b""])
        case "a separator behind the trailer":
            return b"\n".join([header, *lines, trailer + b"|", b""])
        case "separators and CRLF":
            return b"\r\n".join([header + b"|", *lines, trailer + b"|", b""])
        case "separator and no line end":
            return b"\n".join([header, *lines, trailer + b"|"])
        case "a letter in Windows-1252":
            return content.replace(b"Simulated product", b"Electricit\xe9")
        case "a euro sign in Windows-1252":
            return content.replace(b"Simulated product", b"Token \x80 5")
        case "a byte that Windows-1252 does not have":
            return content.replace(b"Simulated product", b"Token \x81\x8d")
        case "letters of both":
            return content.replace(b"Simulated product", "Caf\u00e9 ".encode() + b"caf\xe9")
        case "a letter in the municipality":
            return content.replace(b"SimOperator", b"Mogale \x96 City")
        case _:
            raise AssertionError(how)


ODD = [
    "blank lines behind the trailer",
    "blank lines of CRLF",
    "spaces behind the trailer",
    "Ctrl-Z",
    "Ctrl-Z on a line, then a blank one",
    "Ctrl-Z right behind the count",
    "a separator behind the header",
    "a separator behind the trailer",
    "separators and CRLF",
    "separator and no line end",
    "a letter in Windows-1252",
    "a euro sign in Windows-1252",
    "a byte that Windows-1252 does not have",
    "letters of both",
    "a letter in the municipality",
]


def test_what_harms_nothing_is_read_and_noted(shop: Shop) -> None:
    day = shop.fresh_day()
    sold: dict[str, tuple[date, Sale]] = {}
    for at, how in enumerate(ODD):
        shop.clocks.not_before(day + at * ONE_DAY)
        sold[how] = day + at * ONE_DAY, shop.buy()
    shop.clocks.at(day + (len(ODD) + 1) * ONE_DAY)
    for how, (its_day, sale) in sold.items():
        shop.deliver(its_day, [], content=odd(shop.file(its_day, [sale.vend]), how))
    run = shop.settle_all()
    wrong = {}
    days = {one["day"]: one for one in run["days"]}
    for how, (its_day, _) in sold.items():
        settled = days.get(its_day.isoformat())
        if settled is None:
            wrong[how] = "refused"
        elif settled["matched"]["rows"] != 1 or own(settled):
            wrong[how] = "not matched"
        elif not noted(shop.report(its_day)):
            wrong[how] = "not noted"
    assert wrong == {}


def noted(report: Any) -> bool:
    """Whether a report says anything as information about its file."""
    listed = [report.get(name) or (report.get("file") or {}).get(name) for name in ("notes", "oddities", "information", "noted")]
    return any(listed)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param(b"|10000|", b"| 10000|", id="a blank in the amount"),
        pytest.param(b"|10000|", b"|10000.00|", id="rand for cents"),
        pytest.param(b"|10000|", "|\uff11\uff10\uff10\uff10\uff10|".encode(), id="digits of another script"),
        pytest.param(b"|Successful|", b"|\xa0Successful|", id="a status with a blank of Windows-1252"),
        pytest.param(b"\nT|", b"\n\nT|", id="a blank line before the trailer"),
        pytest.param(b"\nT|", b"\n\x1aT|", id="a Ctrl-Z before the trailer"),
        pytest.param(b"T|3", b"T|3|3", id="a second count"),
        pytest.param(b"T|3", b"T|4", id="a wrong count"),
        pytest.param(b"T|3\n", b"T|3\n\nT|3\n", id="a second trailer behind a blank line"),
        pytest.param(b"T|3\n", b"T|3\n\x1a\nD|Utility\n", id="a line behind a Ctrl-Z"),
    ],
)
def test_what_is_compared_stays_strict(shop: Shop, was: bytes, becomes: bytes) -> None:
    day, [sale] = sold_day(shop, 1)
    content = shop.file(day, [sale.vend])
    assert was in content
    shop.deliver(day, [], content=content.replace(was, becomes))
    answer = shop.reconcile.http.post("/settle", params={"day": day.isoformat()})
    if answer.status_code != 422:  # read, and then not as what was sold
        assert answer.json()["matched"]["rows"] == 0 and answer.json()["status"] == "discrepancies"


def test_a_doubt_is_not_rejected_by_a_file_with_a_letter_in_its_id(shop: Shop) -> None:
    day = shop.fresh_day()
    before, doubt, after = shop.buy(), shop.buy(never_vends), shop.buy()
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    line = before.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a14", merchant_id="ID", amount="5500")
    content = shop.file(day, [before.vend, after.vend, line]).replace(b"|ID|", b"|\xed\xcd|")
    shop.deliver(day, [], content=content)
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    assert doubt.state in {"in_doubt", "rejected"}
