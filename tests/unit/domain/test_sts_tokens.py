import re
from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.sts_tokens import (
    MAX_JOINED,
    SIMULATED_PREFIX,
    TOKEN_DIGITS,
    StsToken,
    TokenKind,
    grouped,
    joined,
    joined_numbers,
    token_number,
)
from shared.lib.value import new_word

NUMBER = "00000000000012345678"


@pytest.mark.parametrize("text", [NUMBER, "0000 0000 0000 1234 5678", "0000-0000-0000-1234-5678", f" {NUMBER}\n"])
def test_twenty_digits_are_a_token_however_they_are_grouped(text):
    assert token_number(text) == NUMBER


@pytest.mark.parametrize(
    "text", ["", NUMBER[1:], NUMBER + "0", "RCP0001", "TOKEN_PENDING", "٠" * 20, NUMBER[:-1] + "²", None, 10**19, [NUMBER], "0 " * 40]
)
def test_nothing_else_is_a_token(text):
    assert token_number(text) is None


@pytest.mark.parametrize("number", ["", "123", "٠" * 20, "0000 0000 0000 1234 5678"])
def test_a_token_cannot_be_made_of_anything_else(number):
    with pytest.raises(ValueError):
        StsToken(TokenKind.CREDIT, number)


def test_the_number_never_shows_by_accident():
    token = StsToken(TokenKind.CREDIT, NUMBER)
    assert "5678" not in repr(token) and "5678" not in f"{token} {[token]}"


def test_a_slip_shows_groups_of_four():
    assert grouped(NUMBER) == "0000 0000 0000 1234 5678"


NUMBERS = st.text(st.sampled_from("0123456789"), min_size=20, max_size=20)


@given(NUMBERS)
def test_what_a_slip_shows_is_read_back_as_the_token(number):
    assert token_number(grouped(number)) == number
    assert grouped(number).replace(" ", "") == number


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 20), st.text(st.sampled_from(" \t\n-"), min_size=1, max_size=3)), max_size=6))
def test_separators_change_no_digit_wherever_they_stand(number, separators):
    text = number
    for at, separator in separators:
        text = text[:at] + separator + text[at:]
    assert token_number(text) == number


@given(st.text(max_size=45) | st.text(st.sampled_from("0123456789 -٣²½"), max_size=45))
def test_a_token_has_exactly_the_digits_of_its_text_in_their_order(text):
    number = token_number(text)
    bare = re.sub(r"[ \t\n\r\f\v-]", "", text)
    assert number == (bare if re.fullmatch("[0-9]{20}", bare) and len(text) <= 40 else None)


@given(NUMBERS, st.sampled_from(TokenKind), st.none() | st.decimals(allow_nan=False, places=1, min_value=0, max_value=10**6))
def test_no_token_shows_its_number(number, kind, units):
    token = StsToken(kind, number, units)
    assert number not in f"{token!r} {token} {(token,)}"


FIRST_KEY, SECOND_KEY, FREE, CREDIT = (
    StsToken(kind, f"{number:020d}", units)
    for number, (kind, units) in enumerate(
        [
            (TokenKind.KEY_CHANGE, None),
            (TokenKind.KEY_CHANGE, None),
            (TokenKind.FREE, Decimal(50)),
            (TokenKind.CREDIT, Decimal("29.7")),
        ]
    )
)
ALL = (FIRST_KEY, SECOND_KEY, FREE, CREDIT)


@pytest.mark.parametrize(
    ("known", "more", "whole"),
    [
        ([FIRST_KEY], [CREDIT], [FIRST_KEY, CREDIT]),
        ([CREDIT], [FIRST_KEY, SECOND_KEY], [FIRST_KEY, SECOND_KEY, CREDIT]),
        ([FIRST_KEY, CREDIT], [SECOND_KEY, FREE], ALL),
        ([FREE, CREDIT], [FIRST_KEY, FREE], [FIRST_KEY, FREE, CREDIT]),
        ([CREDIT], [], [CREDIT]),
        ([], [CREDIT], [CREDIT]),
    ],
)
def test_two_parts_of_the_tokens_make_a_whole_in_the_order_of_typing(known, more, whole):
    assert joined(known, more) == tuple(whole)


@given(st.permutations(ALL), st.integers(0, 4))
def test_a_list_that_has_every_known_token_counts_in_its_own_order(order, known):
    assert joined(order[:known][::-1], order) == tuple(order)


@given(st.lists(st.sampled_from(ALL), unique=True), st.lists(st.sampled_from(ALL), unique=True))
def test_no_known_token_is_lost_or_doubled_or_moved(known, more):
    whole = joined(known, more)
    assert sorted(token.number for token in whole) == sorted({token.number for token in (*known, *more)})
    if not {token.number for token in known} <= {token.number for token in more}:
        assert [token for token in whole if token in known] == known


@given(st.permutations(ALL), st.sets(st.sampled_from(ALL)), st.sets(st.sampled_from(ALL)), st.booleans())
def test_two_parts_of_one_list_keep_its_order_with_or_without_kinds(order, one, other, kinds_are_said):
    if not kinds_are_said:
        order, one, other = ([structs.replace(token, kind=TokenKind.OTHER) for token in tokens] for tokens in (order, one, other))
    known, more = ([token for token in order if token in part] for part in (one, other))
    whole = joined(known, more)
    for part in (known, more):
        assert [token for token in whole if token in part] == part


def test_a_key_change_that_a_reprint_shows_before_a_known_token_is_typed_before_it():
    first, second, credit = (structs.replace(token, kind=TokenKind.OTHER) for token in (FIRST_KEY, SECOND_KEY, CREDIT))
    assert joined([second, credit], [first, second]) == (first, second, credit)


def test_known_fields_of_a_token_stay_if_another_list_has_fewer():
    bare = [StsToken(TokenKind.OTHER, token.number) for token in (FIRST_KEY, CREDIT)]
    assert joined([FIRST_KEY, CREDIT], bare) == joined(bare, [FIRST_KEY, CREDIT]) == (FIRST_KEY, CREDIT)
    assert joined([FIRST_KEY], [StsToken(TokenKind.CREDIT, FIRST_KEY.number)]) == (FIRST_KEY,)


REFUND, OTHER, NEWER = (
    StsToken(kind, f"{number:020d}")
    for number, kind in enumerate([TokenKind.REFUND, TokenKind.OTHER, new_word(TokenKind, "of newer code")], 10)
)


@pytest.mark.parametrize("late", [CREDIT, REFUND, OTHER, NEWER])
def test_tokens_without_a_listed_order_are_typed_by_their_kinds(late):
    whole = joined([FIRST_KEY, FREE, late], [SECOND_KEY])
    assert whole == (FIRST_KEY, SECOND_KEY, FREE, late)
    assert joined([FIRST_KEY, late], [FREE]) == (FIRST_KEY, FREE, late)
    for other in (CREDIT, REFUND, OTHER, NEWER):
        if other is not late:
            assert joined([FREE, late], [other]) == (FREE, late, other)


def test_a_new_token_goes_between_its_neighbours_in_its_list_for_any_kind():
    assert joined([FREE, CREDIT], [REFUND, CREDIT]) == (FREE, REFUND, CREDIT)
    assert joined([FREE, CREDIT, REFUND], [CREDIT, FIRST_KEY]) == (FREE, CREDIT, FIRST_KEY, REFUND)
    assert joined([CREDIT, REFUND, FREE], [CREDIT, REFUND, FIRST_KEY]) == (CREDIT, REFUND, FIRST_KEY, FREE)
    assert joined([CREDIT, REFUND, FREE], [OTHER, REFUND, FREE]) == (CREDIT, OTHER, REFUND, FREE)


SUREST_FIRST = (NEWER, FIRST_KEY, FREE, REFUND, CREDIT, OTHER)


@pytest.mark.parametrize(("surer", "less"), [*combinations([token.kind for token in SUREST_FIRST], 2)])
def test_of_two_kinds_of_one_token_the_surer_one_stays(surer, less):
    first, second = StsToken(surer, NUMBER, Decimal(1)), StsToken(less, NUMBER)
    for known, more in ((first, second), (second, first)):
        assert joined([known], [more]) == (StsToken(surer, NUMBER, Decimal(1)),)


def test_of_two_quotes_of_one_tokens_units_the_later_counts():
    known, more = StsToken(TokenKind.CREDIT, NUMBER, Decimal(1)), StsToken(TokenKind.CREDIT, NUMBER, Decimal(2))
    assert joined([known], [more]) == (more,)


OTHER_NUMBER = "00000000000087654321"


@pytest.mark.parametrize("between", ["|", ",", ";", "/", " ", "\n", " | ", "|,", "; "])
def test_tokens_of_one_text_are_told_apart_in_their_order(between):
    assert joined_numbers(between.join([NUMBER, OTHER_NUMBER])) == (NUMBER, OTHER_NUMBER)
    if between.strip():
        assert joined_numbers(f"{grouped(NUMBER)}{between}{grouped(OTHER_NUMBER)}") == (NUMBER, OTHER_NUMBER)
        assert joined_numbers(f"{NUMBER}{between}PENDING{between}") == (NUMBER, None)


def test_adjacent_groups_are_tokens_if_they_make_whole_tokens():
    assert joined_numbers(f"{grouped(NUMBER)} {grouped(OTHER_NUMBER)}") == (NUMBER, OTHER_NUMBER)
    assert joined_numbers(f"{grouped(NUMBER)} {grouped(OTHER_NUMBER)[5:]}") == (None,)
    assert joined_numbers(f"{NUMBER} 1234 {OTHER_NUMBER}") == (NUMBER, None, OTHER_NUMBER)


@pytest.mark.parametrize("text", ["", "   ", "|", "PENDING", "1234", None, 12, ["1"], "RCP|0001"])
def test_a_text_without_a_token_is_one_that_cannot_be_read(text):
    assert joined_numbers(text) == (None,)


def test_twenty_tokens_in_groups_are_read_and_a_longer_text_is_not():
    text = "|".join([grouped(NUMBER)] * 20)
    assert joined_numbers(text) == (NUMBER,) * 20
    assert joined_numbers(text.ljust(800)) == (NUMBER,) * 20 and joined_numbers(text.ljust(801)) == (None,)


@pytest.mark.parametrize(
    ("text", "number"),
    [(NUMBER.ljust(40), NUMBER), (NUMBER.ljust(41), None), (" ".join(NUMBER) + " ", NUMBER), (" ".join(NUMBER) + "  ", None)],
)
def test_a_token_of_forty_characters_is_read_and_a_longer_text_is_not(text, number):
    assert token_number(text) == number


def test_the_words_of_the_kinds_and_the_marks_of_simulated_tokens_never_change():
    whole = joined([CREDIT, REFUND, OTHER], [FIRST_KEY, FREE])
    assert [token.kind for token in whole] == ["key_change", "free", "credit", "refund", "other"] == [kind.value for kind in TokenKind]
    assert (SIMULATED_PREFIX, TOKEN_DIGITS, MAX_JOINED) == ("000000000000", 20, 20)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (f"{NUMBER}|{OTHER_NUMBER}|{NUMBER[::-1]}", (NUMBER, OTHER_NUMBER, NUMBER[::-1])),
        (f"| |{NUMBER}| |;{OTHER_NUMBER}|", (NUMBER, OTHER_NUMBER)),
        (f"{NUMBER} {OTHER_NUMBER[:10]} {OTHER_NUMBER[10:]} {NUMBER}", (NUMBER, OTHER_NUMBER, NUMBER)),
        (f"{NUMBER[:10]} {NUMBER[10:]} {OTHER_NUMBER} {NUMBER[:5]} {NUMBER[5:]}", (NUMBER, OTHER_NUMBER, NUMBER)),
        (f"{NUMBER[:12]} {NUMBER[10:]}|{OTHER_NUMBER}", (None, OTHER_NUMBER)),
        (f"{NUMBER[:12]} {NUMBER[12:]} {OTHER_NUMBER[:12]} {OTHER_NUMBER[10:]}|{NUMBER}", (None, NUMBER)),
        (f"{NUMBER[:12]} {NUMBER[12:]} 1|{OTHER_NUMBER}", (None, OTHER_NUMBER)),
        (f"{'x' * 20}|{NUMBER}", (None, NUMBER)),
        (f"{'x' * 20} {NUMBER}", (None, NUMBER)),
        (f"{'x' * 10} {'y' * 10}|{NUMBER}", (None, NUMBER)),
        (f"{NUMBER}|{NUMBER[1:]}", (NUMBER, None)),
    ],
)
def test_each_part_of_a_text_is_a_token_or_none(text, numbers):
    assert joined_numbers(text) == numbers


@given(st.permutations([FIRST_KEY, SECOND_KEY, FREE, CREDIT, REFUND]), st.integers(1, 4))
def test_a_new_token_goes_where_its_list_has_it(order, at):
    """Between its neighbours, whatever else is known and in whichever order."""
    new, others = order[0], order[1:]
    before, behind = others[at - 1 : at], others[at : at + 1]
    whole = joined(others, [*before, new, *behind])
    assert whole == (*others[:at], new, *others[at:])


@pytest.mark.parametrize("known", [{"a": 1}, None])
@pytest.mark.parametrize("said", [{"b": 2}, None])
def test_newer_codes_fields_of_a_token_stay_and_the_later_value_counts(known, said):
    held, more = structs.replace(CREDIT, beyond=known), structs.replace(CREDIT, beyond=said)
    assert joined([held], [more])[0].beyond == (said or known)
    assert joined([held, FREE], [more])[0].beyond == (said or known)


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 20), st.text(st.sampled_from(" \t\n-"), min_size=1, max_size=3)), max_size=9))
def test_one_token_of_a_text_is_one_wherever_its_separators_stand(number, separators):
    text = number
    for at, separator in separators:
        text = text[:at] + separator + text[at:]
    assert joined_numbers(text) == joined_numbers(f"|{text}; ") == (number,)
