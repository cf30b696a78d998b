"""The file of a day among the files of a place: each choice whole, with the reason for every other file."""

from datetime import date

import pytest

from shared.domain.statement import FileFault
from shared.mobilemart.settlement_format import FORMAT
from shared.ports.settlement_files import FileUnreadable, FoundFiles, NotTaken, Refusal, StatementRefused, StoredFile, broke_off
from shared.settlement.file_selection import Choice, printable, read, to_the_end
from shared.settlement.matching import ONE_DAY

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
AFTER = NEXT + ONE_DAY


class Files:
    """Files in memory, and how often each was opened. One whose body is `None` cannot be read."""

    def __init__(self):
        self.bodies, self.opened = {}, []

    def put(self, stamp, body, *, merchant="ACME", mark="1"):
        name = f"FULCRUM.MERCHANT.{merchant}.RECON.{stamp}.txt"

        def chunks():
            self.opened.append((stamp, mark))
            if self.bodies[name, mark] is None:
                raise FileUnreadable("it is locked")
            return [self.bodies[name, mark]]

        self.bodies[name, mark] = body
        return StoredFile(name, mark, chunks)


@pytest.fixture
def files():
    return Files()


def of(day, note=""):
    """A file of a day; another one for each note."""
    return f"H|{note or 1}|{day:%Y%m%d}\nT|2\n".encode()


def chosen(stored, *days, merchant=None):
    return Choice(merchant, FORMAT)(stored, days)


BROKEN = b"no header\n"


# Merchants


def test_files_of_two_merchants_refuse_every_day_alike_by_the_latest_of_all_files(files):
    stored = [files.put(f"2026050{at}", of(DAY), merchant=name, mark=f"m{at}") for at, name in ((4, "BETA"), (2, "ACME"), (3, "BETA"))]
    refusal = Refusal(stored[0].name, "m4", "files of several merchants lie in one place: ACME, BETA", anyones=True)
    assert chosen(stored, DAY, NEXT) == {DAY: refusal, NEXT: refusal}


def test_another_merchants_files_alone_refuse_a_day_by_the_latest_and_ours_go_first(files):
    theirs = [files.put(f"2026050{at}", of(DAY, str(at)), merchant="BETA", mark=f"m{at}") for at in (2, 3, 4)]
    ours = files.put("20260502", of(NEXT))
    found = chosen([*theirs, files.put("20260503", of(NEXT), merchant="BETA"), ours], DAY, NEXT, merchant="ACME")
    assert found == {DAY: Refusal(theirs[2].name, "m4", "the file is another merchant's", foreign=True), NEXT: ours}
    assert not found[DAY].anyones and not found[DAY].unread


def test_one_merchant_in_a_place_needs_no_name_and_a_wrong_name_finds_no_place(files):
    stored = [files.put("20260502", of(DAY), merchant="BETA")]
    assert chosen(stored, DAY) == {DAY: stored[0]}
    assert chosen(stored, DAY, merchant="ACME")[DAY].foreign
    assert chosen(stored, DAY, merchant="BETA") == {DAY: stored[0]}


def test_an_old_name_of_ours_is_never_called_another_merchants(files):
    old, new = files.put("20260101", of(DAY)), files.put("20260503", of(NEXT))
    assert chosen([old, new], DAY, NEXT, merchant="ACME") == {NEXT: new} == chosen([old, new], DAY, NEXT)


# Corrections


def test_the_latest_file_of_a_day_counts_and_has_the_others_beside_it_each_once(files):
    first, again = files.put("20260502", of(DAY, "a")), files.put("20260503", of(DAY, "b"))
    copy, last = files.put("20260504", of(DAY, "a")), files.put("20260505", of(DAY, "c"))
    found = chosen([last, copy, again, first], DAY)[DAY]
    assert (found.name, found.earlier) == (last.name, (copy, again))
    assert found.other_names == (first.known_as,)


def test_the_bytes_that_count_already_are_known_by_their_first_name(files):
    stored = [files.put(f"2026050{at}", of(DAY, note)) for at, note in ((2, "a"), (3, "b"), (4, "b"), (5, "b"))]
    found = chosen(stored, DAY)[DAY]
    assert (found.name, found.earlier) == (stored[1].name, (stored[0],))
    assert found.other_names == (stored[2].known_as, stored[3].known_as)


def test_the_same_bytes_twice_are_one_file_by_the_first_name(files):
    stored = [files.put("20260502", of(DAY)), files.put("20260503", of(DAY))]
    found = chosen(stored, DAY)[DAY]
    assert (found.name, found.earlier) == (stored[0].name, ())


def test_two_differing_files_of_one_time_refuse_the_day_and_equal_bytes_do_not(files):
    same = [files.put("20260503", of(DAY, "b"), mark=f"m{at}") for at in range(3)]
    before = files.put("20260502", of(DAY, "a"))
    found = chosen([before, *same], DAY)[DAY]
    assert (found, found.earlier) == (same[0], (before,))
    other = files.put("20260503", of(DAY, "c"), mark="m3")
    reason = "different files of the day have the same time in their names"
    assert chosen([before, *same, other], DAY) == {DAY: Refusal(other.name, "m3", reason)}
    assert chosen([*same, other], DAY)[DAY].reason == reason  # as the first ones of the day, too
    later = files.put("20260504", of(DAY, "d"))
    assert chosen([before, *same, other, later], DAY)[DAY] == later


def test_beside_the_bytes_that_count_a_file_of_the_same_time_is_a_correction(files):
    first, corrected = files.put("20260502", of(DAY, "a"), mark="m1"), files.put("20260503", of(DAY, "b"), mark="m2")
    copy = files.put("20260503", of(DAY, "a"), mark="m1")
    found = chosen([first, copy, corrected], DAY)[DAY]
    assert (found, found.earlier) == (corrected, (copy,))


def test_a_file_alone_is_opened_for_its_header_only_and_once_for_all_runs(files):
    choice, stored = Choice(None, FORMAT), [files.put("20260502", of(DAY)), files.put("20260503", of(NEXT))]
    for _ in range(2):
        assert choice(stored, [DAY, NEXT]) == {DAY: stored[0], NEXT: stored[1]}
    assert files.opened == [("20260502", "1"), ("20260503", "1")]
    both = [*stored, files.put("20260504", of(DAY, "b"))]
    for _ in range(2):
        assert choice(both, [DAY])[DAY].earlier == (stored[0],)
    assert files.opened[2:] == [("20260504", "1"), ("20260502", "1"), ("20260504", "1")]  # a header, and two hashes


# Files that cannot be read


def test_a_last_file_that_cannot_be_read_is_refused_and_says_the_cause(files):
    bad = files.put("20260503", None, mark="m1")
    found = chosen([files.put("20260502", of(DAY)), bad], DAY, NEXT)
    assert found[NEXT] == Refusal(bad.name, "m1", "the file cannot be read: it is locked", unread="unreadable")
    assert found[NEXT].known_as == f"{bad.name}/m1/unreadable"


def test_an_unreadable_file_stands_beside_the_files_of_either_day_its_name_allows(files):
    good = {day: files.put(f"{day + ONE_DAY:%Y%m%d}06", of(day)) for day in (DAY - ONE_DAY, DAY, NEXT, AFTER)}
    bad = [files.put(f"2026050307{at}", None) for at in range(2)]
    found = chosen([*good.values(), *bad, files.put("20260508", None)], *good)
    assert found[NEXT].file == bad[1].name and found[NEXT].unread
    assert {day: file.earlier for day, file in found.items() if day != NEXT} == {DAY - ONE_DAY: (), DAY: (), AFTER: tuple(bad)}
    corrected = [files.put("20260505", of(AFTER, "b")), files.put("20260506", of(NEXT, "b"))]
    found = chosen([*good.values(), *bad, *corrected], *good)
    assert found[NEXT].earlier == (good[NEXT], *bad) and found[AFTER].earlier == (good[AFTER], *bad)
    refused = chosen([*good.values(), *bad, *corrected, files.put("20260505", of(AFTER, "c"), mark="2")], AFTER)[AFTER]
    assert refused.reason == "different files of the day have the same time in their names"


def test_an_earlier_file_that_cannot_be_read_stands_beside_the_one_that_counts(files):
    bad, last = files.put("20260502", None), files.put("20260503", of(DAY))
    found = chosen([bad, last], DAY)
    assert (found[DAY].name, found[DAY].earlier) == (last.name, (bad,))
    assert files.opened == [("20260502", "1"), ("20260503", "1"), ("20260503", "1")]  # what failed once is not tried again in this run


def test_a_file_whose_header_gives_its_day_is_of_that_day_even_if_it_breaks_off(files):
    def chunks():
        yield of(DAY)
        raise FileUnreadable("it is cut off")

    broken = StoredFile(files.put("20260502", b"").name, "1", chunks)
    by_header = StoredFile(files.put("99999999", b"").name, "1", chunks)  # its name says no day
    later = files.put("20260503", of(DAY, "b")), files.put("20260504", of(NEXT))
    found = chosen([broken, *later], DAY, NEXT)
    assert (found[DAY].earlier, found[NEXT].earlier) == ((broken,), ())
    found = chosen([broken, by_header, *later], DAY, NEXT)
    assert (found[DAY].file, found[NEXT].earlier, found.not_taken) == (by_header.name, (), ())


@pytest.mark.parametrize("breaks_off", [0, 1])
def test_a_file_broken_off_after_its_header_is_refused_as_last_and_listed_as_earlier(files, breaks_off):
    def chunks(at):
        yield of(DAY, str(at))
        if at == breaks_off:
            raise FileUnreadable("it is cut off")

    stored = [StoredFile(files.put(f"2026050{at + 2}", b"").name, "m1", lambda at=at: chunks(at)) for at in range(2)]
    found = chosen(stored, DAY)[DAY]
    if breaks_off:
        assert found == Refusal(stored[1].name, "m1", "the file cannot be read: it is cut off", unread="unreadable")
    else:
        assert (found, found.earlier) == (stored[1], (stored[0],))


def test_an_unreadable_file_is_opened_in_each_run_of_a_day_that_it_may_be_of(files):
    choice, bad, nameless = Choice(None, FORMAT), files.put("20260502", None), files.put("01052026", None)
    choice([bad, nameless], [DAY])
    assert files.opened == [("01052026", "1"), ("20260502", "1")]
    choice([bad, nameless], [DAY])  # once more
    choice([bad, nameless], [NEXT])
    assert files.opened[2:] == [("01052026", "1"), ("20260502", "1")] * 2
    choice([bad, nameless], [AFTER])
    choice([bad, nameless], [DAY - ONE_DAY])
    assert files.opened[6:] == [("01052026", "1")] * 2
    files.bodies[bad.name, "1"] = of(AFTER)
    assert choice([bad, nameless], [DAY, AFTER]) == {AFTER: bad}


# Files without a header


def test_a_file_without_a_header_is_of_the_day_its_name_gives_and_of_the_day_before(files):
    broken = files.put("20260502", BROKEN)
    assert chosen([broken], DAY - ONE_DAY, DAY, NEXT, AFTER) == {DAY: broken, NEXT: broken}
    assert chosen([broken], NEXT) == {NEXT: broken}


@pytest.mark.parametrize(
    ("others", "days"),
    [
        ({"20260504": date(2026, 5, 3)}, {date(2026, 5, 9)}),  # the nearest is named by the day after
        ({"20260504": date(2026, 5, 4)}, {date(2026, 5, 10)}),  # or by its own day
        ({"20260503": date(2026, 5, 3), "20260504": date(2026, 5, 3)}, {date(2026, 5, 9)}),
        ({"20260516": date(2026, 5, 16), "20260515": date(2026, 5, 14)}, {date(2026, 5, 9)}),
        ({"20260515": date(2026, 5, 15), "20260504": date(2026, 5, 3)}, {date(2026, 5, 10)}),
        ({"20260509": date(2026, 5, 5), "20260504": date(2026, 5, 3)}, {date(2026, 5, 9)}),  # one that is named otherwise says nothing
        ({"20260509": date(2026, 5, 5)}, {date(2026, 5, 9), date(2026, 5, 10)}),
        (
            {"20260512060000": date(2026, 5, 12), "20260507": date(2026, 5, 6)},
            {date(2026, 5, 10)},
        ),  # by days, at any time
        ({"20260513": date(2026, 5, 13), "20260520": date(2026, 5, 19)}, {date(2026, 5, 10)}),
        ({"20260509": None}, {date(2026, 5, 9), date(2026, 5, 10)}),
    ],
)
def test_a_file_without_a_header_is_taken_to_be_named_as_the_nearest_with_one(files, others, days):
    broken = files.put("2026051005", BROKEN)
    stored = [files.put(stamp, BROKEN + b"another" if day is None else of(day)) for stamp, day in others.items()]
    found = chosen([broken, *stored], *(date(2026, 5, 7) + at * ONE_DAY for at in range(6)))
    assert {day for day, file in found.items() if file.name == broken.name} == days


# Files that are read


@pytest.mark.parametrize(("age", "is_read"), [(31, True), (32, False)])
def test_headers_of_files_named_a_month_before_the_first_day_are_not_read(files, age, is_read):
    old, new = files.put(f"{NEXT - age * ONE_DAY:%Y%m%d}", of(AFTER)), files.put("20260502", of(NEXT))
    assert set(chosen([old, new], AFTER, NEXT)) == ({NEXT, AFTER} if is_read else {NEXT})
    assert (old.name.split(".")[4], "1") in files.opened or not is_read
    assert chosen([old], AFTER) == {AFTER: old}  # unless nothing else is found


def test_names_that_say_no_day_are_always_looked_into(files):
    odd, new = files.put("01052026", of(DAY)), files.put("20260503", of(NEXT))
    found = chosen([odd, new], DAY, NEXT)
    assert (found, found.not_taken) == ({DAY: odd, NEXT: new}, ())
    assert chosen([odd, new]).not_taken == ()  # nothing was looked into


def test_nothing_is_read_where_no_day_is_asked_for(files):
    assert chosen([files.put("20260502", of(DAY))]) == {} == chosen([], DAY)
    assert files.opened == []


def test_a_file_is_itself_by_its_name_and_mark_and_shows_nothing_else(files):
    one, again = files.put("20260502", of(DAY)), files.put("20260502", of(NEXT))
    assert one == again != StoredFile(one.name, "2", one.chunks) and one != StoredFile("another", one.mark, one.chunks)
    found = chosen([one, files.put("20260503", of(NEXT, "b"))], NEXT)[NEXT]
    assert repr(found) == "StoredFile(name='FULCRUM.MERCHANT.ACME.RECON.20260503.txt', mark='1')" and found.earlier


# Files that are not taken


def test_what_is_not_taken_is_reported_by_name_in_order_with_each_reason(files):
    stored = [
        StoredFile("recon\x07.txt", "1", list),
        files.put("01052026", BROKEN),
        files.put("02052026", None),
        files.put("20260502", BROKEN),
        StoredFile("Fulcrum.csv", "1", list),
        NotTaken("inner", "the folder cannot be listed"),
        StoredFile("notes.txt", "1", list),
    ]
    found = chosen(stored, DAY)
    assert set(found) == {DAY} and found.more_not_taken == 0
    assert found.not_taken == (
        NotTaken("FULCRUM.MERCHANT.ACME.RECON.01052026.txt", "neither the name nor a header says a day"),
        NotTaken("FULCRUM.MERCHANT.ACME.RECON.02052026.txt", "the name says no day, and the file cannot be read: it is locked"),
        NotTaken("Fulcrum.csv", "the name does not end in .txt"),
        NotTaken("inner", "the folder cannot be listed"),
        NotTaken("recon\\x07.txt", "the name holds what cannot be printed"),
    )


def test_found_files_leave_nothing_out_until_they_say_so():
    assert (FoundFiles().not_taken, FoundFiles().more_not_taken) == ((), 0)


@pytest.mark.parametrize(("count", "more"), [(0, 0), (100, 0), (101, 1)])
def test_a_hundred_names_that_are_not_taken_are_reported_and_the_others_counted(count, more):
    found = chosen([NotTaken(f"{at:03d}", "a folder") for at in reversed(range(count))], DAY)
    assert [one.name for one in found.not_taken] == [f"{at:03d}" for at in range(count - more)] and found.more_not_taken == more


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FULCRUM.MERCHANT.ACME.RECON.20260502.txt", None),
        ("notes.txt", None),
        ("fulcrum.merchant.acme.recon.20260502.txt", "the name is not in capitals with .txt in small letters"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502.TXT", "the name is not in capitals with .txt in small letters"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502.csv", "the name does not end in .txt"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502 (12).txt", "the name has blanks or a number in brackets"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502", "the name does not end in .txt"),
        ("FULCRUM. MERCHANT.ACME.RECON.20260502.TXT", "the name has blanks or a number in brackets"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502 (1).csv", "the name does not end in .txt"),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502 (a).txt", "the name is not FULCRUM.MERCHANT.<NAME>.RECON.<8 to 17 digits>.txt"),
        ("FULCRUM.MERCHANT.ACME.RECON.2026050.txt", "the name is not FULCRUM.MERCHANT.<NAME>.RECON.<8 to 17 digits>.txt"),
        ("ReCon", "the name does not end in .txt"),
        ("FULCRUM.MERCHANT.A\tB.RECON.20260502.txt", "the name holds what cannot be printed"),
    ],
)
def test_a_name_that_looks_like_a_settlement_files_says_why_it_is_none(name, reason):
    assert FORMAT.why_not_taken(name) == reason


@pytest.mark.parametrize(("name", "shown"), [("a b.txt", "a b.txt"), ("a\tb\n", r"a\tb\n"), ("\udcff\xe9", "\\udcff\xe9")])
def test_a_name_is_shown_with_what_cannot_be_printed_as_an_escape(name, shown):
    assert printable(name) == shown


# Reading


def test_files_are_read_oldest_first_and_a_refused_one_is_named_with_its_day(files):
    good, lines = files.put("20260502", of(DAY), mark="m1"), b"H|1|20260502\n" + b"D|x\n" * 2 + b"T|4\n"
    broken, last = files.put("20260503", lines, mark="m2"), files.put("20260504", of(AFTER), mark="m3")
    assert read({NEXT - ONE_DAY: good, AFTER: last}, lambda opened: [file.day for file in opened], FORMAT) == [DAY, AFTER]
    with pytest.raises(StatementRefused) as refused:
        read({AFTER: last, NEXT: broken, DAY: good}, to_the_end, FORMAT)
    refusal = refused.value.refusal
    assert (refused.value.day, refusal.file, refusal.mark, refusal.reason) == (NEXT, broken.name, "m2", "the file breaks the format")
    assert [fault.line for fault in refusal.faults] == [2, 3] and (refusal.foreign, refusal.anyones, refusal.unread) == (False, False, "")
    assert refusal.known_as == broken.known_as == f"{broken.name}/m2" and str(refused.value) == "the file breaks the format"


def test_a_file_whose_header_is_gone_is_refused_as_it_is_opened(files):
    with pytest.raises(StatementRefused) as refused:
        read({DAY: files.put("20260501", of(DAY)), NEXT: files.put("20260502", BROKEN, mark="m1")}, to_the_end, FORMAT)
    fault = FileFault(1, "must be the header H|version|CCYYMMDD")
    assert (refused.value.day, refused.value.refusal) == (
        NEXT,
        Refusal("FULCRUM.MERCHANT.ACME.RECON.20260502.txt", "m1", "the file breaks the format", (fault,)),
    )


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_file_that_breaks_off_is_known_otherwise_than_one_that_could_not_be_opened(files, fails):
    def chunks(day, at):
        if fails == at == 0:
            raise FileUnreadable("it is locked")
        yield of(day)[:13]
        if fails == at:
            raise FileUnreadable("it is cut off")
        yield of(day)[13:]

    days = [DAY, NEXT, AFTER]
    stored = {day: StoredFile(f"{day}.txt", "m1", lambda day=day, at=at: chunks(day, at)) for at, day in enumerate(days)}
    with pytest.raises(StatementRefused) as refused:
        read(stored, to_the_end, FORMAT)
    file, cause, unread = stored[days[fails]], *(("it is cut off", "broken off") if fails else ("it is locked", "unreadable"))
    assert refused.value.day == days[fails]
    assert refused.value.refusal == Refusal(file.name, "m1", f"the file cannot be read: {cause}", unread=unread)
    assert refused.value.refusal.known_as == (broke_off(file.known_as) if fails else f"{file.known_as}/unreadable")
    assert broke_off(file.known_as) == f"{file.name}/m1/broken off"


def test_a_file_that_is_another_days_by_now_was_replaced(files):
    with pytest.raises(StatementRefused) as refused:
        read({DAY: files.put("20260502", of(NEXT), mark="m1")}, to_the_end, FORMAT)
    reason = "the file cannot be read: it was replaced while it was looked for"
    assert refused.value.refusal == Refusal("FULCRUM.MERCHANT.ACME.RECON.20260502.txt", "m1", reason, unread="unreadable")
