import pytest

from shared.sts import StsToken, TokenKind, grouped, token_number

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
