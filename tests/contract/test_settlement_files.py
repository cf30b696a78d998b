"""Which file is a day's, wherever it lies: one suite on a bucket and on a folder."""

import pytest

from shared.bootstrap import files_in
from shared.mobilemart.settlement_file import SettlementFile
from shared.ports.settlement_files import FilesUnavailable, StatementRefused
from shared.settlement.matching import ONE_DAY
from tests.contract.file_places import DAY, NEXT, content, found, name
from tests.stand_ins.storage import storage


async def test_a_file_is_found_by_the_date_in_its_header_under_any_name(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503"), content(NEXT))
    place.put("notes.txt", b"of no interest")
    place.put("FULCRUM.MERCHANT.ACME.RECON.txt", content(DAY))
    assert await found(place.files(), DAY, NEXT, NEXT + ONE_DAY) == {DAY: name("20260502060000"), NEXT: name("20260503")}


async def test_a_name_with_a_meaningless_time_is_found_too(place):
    place.put(name("01052026"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("01052026")}


async def test_a_file_named_for_a_day_months_before_is_found_if_it_is_the_only_one(place):
    place.put(name("20260101060000"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("20260101060000")}


async def test_an_empty_place_holds_no_file(place):
    assert await found(place.files(), DAY) == {}


async def test_a_later_file_of_a_day_replaces_an_earlier_one(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260504120000"), content(DAY, cents=1))
    assert await found(place.files(), DAY) == {DAY: name("20260504120000")}


async def test_a_later_file_with_the_same_bytes_is_no_correction(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), content(DAY, cents=1))
    place.put(name("20260504060000"), content(DAY, cents=1))
    assert await found(place.files(), DAY) == {DAY: name("20260503060000")}


async def test_a_file_that_is_taken_back_by_sending_the_one_before_it_counts_no_more(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), content(DAY, cents=1))
    place.put(name("20260504060000"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("20260504060000")}


async def test_two_different_files_of_one_time_are_refused_until_a_later_one_arrives(place):
    place.put(name(), content(DAY))
    place.put(f"again/{name()}", content(DAY, cents=1))
    assert "same time" in (await found(place.files(), DAY))[DAY]
    place.put(name("20260509"), content(DAY, cents=2))
    assert await found(place.files(), DAY) == {DAY: name("20260509")}


async def test_files_of_two_merchants_in_one_place_are_refused(place):
    place.put(name(merchant="ACME"), content(DAY))
    place.put(name("20260503", merchant="OTHER"), content(NEXT))
    refusal = (await place.files().find([DAY]))[DAY]
    assert "ACME, OTHER" in refusal.reason and refusal.anyones
    assert refusal.file == name("20260503", merchant="OTHER")  # the last that arrived


async def test_with_a_configured_name_another_merchants_file_is_never_ours(place):
    for stamp, cents in (("20260502060000", 1), ("20260502070000", 2)):
        place.put(name(stamp, merchant="OTHER"), content(DAY, cents=cents))
    place.put(name("20260503", merchant="ACME"), content(NEXT))
    files = place.files("ACME")
    found_files = await files.find([DAY, NEXT])
    assert found_files[NEXT].name == name("20260503") and found_files[DAY].foreign
    assert found_files[DAY].file == name("20260502070000", merchant="OTHER")  # the last that arrived
    place.put(name(merchant="ACME"), content(DAY))
    assert await found(place.files("ACME"), DAY) == {DAY: name()}


async def test_a_file_without_a_header_belongs_to_the_day_in_its_name(place):
    place.put(name("20260502060000"), b"nothing like it\n")
    files = place.files()
    assert await found(files, DAY, NEXT, DAY - ONE_DAY) == {DAY: name(), NEXT: name()}
    with pytest.raises(StatementRefused, match="format") as refused:
        await files.read(await files.find([DAY]), list)
    assert refused.value.refusal.file == name()


async def test_a_file_of_many_chunks_is_read_whole(place, monkeypatch):
    monkeypatch.setattr("shared.gcp.cloud_storage.CHUNK_BYTES", 40_000)
    place.put(name(), content(DAY, 3_000))
    files = place.files()
    rows = []

    def comparing(opened: list[SettlementFile]) -> None:
        rows.extend(opened[0])

    await files.read(await files.find([DAY]), comparing)
    assert len(rows) == 3_000


async def test_the_file_that_breaks_the_format_is_named(place):
    place.put(name(), content(DAY, 2))
    place.put(name("20260503"), content(NEXT, 2).replace(b"T|4", b"T|5"))
    files = place.files()

    def comparing(opened: list[SettlementFile]) -> None:
        for file in opened:
            list(file)

    with pytest.raises(StatementRefused) as refused:
        await files.read(await files.find([DAY, NEXT]), comparing)
    assert refused.value.refusal.file == name("20260503") and "counts 5" in str(refused.value.refusal.faults[0])


async def test_a_place_that_does_not_answer_is_not_an_empty_one(place):
    place.put(name(), content(DAY))
    place.take_down()
    with pytest.raises(FilesUnavailable):
        await place.files().find([DAY])


async def test_a_file_replaced_during_the_search_is_not_taken_for_another(place):
    place.put(name(), content(DAY))
    files = place.files()
    listed = await files.find([DAY])
    place.put(name(), content(NEXT))
    with pytest.raises(StatementRefused, match="cannot be read") as refused:
        await files.read(listed, list)
    assert (refused.value.day, refused.value.refusal.unread) == (DAY, "unreadable")
    assert await found(files, DAY, NEXT) == {NEXT: name()}


async def test_a_replaced_file_has_a_new_identity_and_an_unchanged_file_the_old_one(place):
    place.put(name(), content(DAY))
    first, again = (await place.files().find([DAY]))[DAY], (await place.files().find([DAY]))[DAY]
    place.put(name(), content(DAY, cents=10_001))
    replaced = (await place.files().find([DAY]))[DAY]
    assert first.known_as == again.known_as != replaced.known_as
    assert first.known_as.startswith(f"{name()}/") and replaced.known_as.startswith(f"{name()}/")


async def test_a_file_that_is_refused_is_known_as_the_one_that_was_found(place):
    place.put(name(), content(DAY)[:-4])
    files = place.files()
    listed = await files.find([DAY])
    with pytest.raises(StatementRefused) as refused:
        await files.read(listed, lambda opened: list(opened[0]))
    assert refused.value.refusal.known_as == listed[DAY].known_as


NOT_TAKEN = {
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.TXT": "small letters",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt.gz": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt.part": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.csv": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000 (1).txt": "brackets",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000(2).txt": "brackets",
    " FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt": "blanks",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000 .txt": "blanks",
    "FULCRUM. MERCHANT.ACME.RECON.20260502060000.txt": "blanks",
    "fulcrum.merchant.acme.recon.20260502060000.txt": "capitals",
    "Fulcrum.Merchant.Acme.Recon.20260502060000.Txt": "capitals",
    "FULCRUM.MERCHANT.ACME.RECON.txt": "8 to 17 digits",
    "FULCRUM.MERCHANT.ACME.RECON.2026-05-02.txt": "8 to 17 digits",
    "FULCRUM.MERCHANT..RECON.20260502060000.txt": "8 to 17 digits",
    "FULCRUM_MERCHANT_ACME_RECON_20260502.txt": "8 to 17 digits",
    "._FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt": "8 to 17 digits",
    "recon-2026-05-01.csv": "does not end in .txt",
    "FULCRUM.MERCHANT.AC\tME.RECON.20260502060000.txt": "printed",
}


async def test_refused_names_like_those_of_settlement_files_are_reported_with_the_reason(place):
    for one in NOT_TAKEN:
        place.put(one, content(DAY))
    for one in ("notes.txt", "readme", "2026-05-01.csv"):
        place.put(one, content(DAY))
    listed = await place.files().find([DAY])
    assert dict(listed) == {}
    said = {one.name.replace("\\t", "\t"): one.reason for one in listed.not_taken}
    assert set(said) == set(NOT_TAKEN) and all(NOT_TAKEN[name] in reason for name, reason in said.items())


async def test_a_file_without_a_day_in_header_or_name_is_reported(place):
    place.put(name("01052026"), b"nothing like it\n")
    place.put(name("20260502"), content(DAY))
    listed = await place.files().find([DAY])
    assert set(listed) == {DAY} and [one.name for one in listed.not_taken] == [name("01052026")]


async def test_a_hundred_of_very_many_refused_names_are_reported(place):
    for number in range(130):
        place.put(f"FULCRUM.{number:03d}.gz", b"")
    listed = await place.files().find([DAY])
    assert (len(listed.not_taken), listed.more_not_taken) == (100, 30)


async def test_the_headers_of_years_ago_are_not_read_again_for_yesterday(monkeypatch):
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        for back in range(100):
            day = DAY - ONE_DAY * back
            service.objects[name(f"{day:%Y%m%d}")] = content(day)
        files = files_in("gs://settlement", "ACME")
        assert await found(files, DAY) == {DAY: name("20260501")}
        assert len(service.read) <= 32
        await files.find([DAY])
        assert len(service.read) <= 32  # once is enough
        await files.close()
