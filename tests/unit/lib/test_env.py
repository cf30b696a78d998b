"""Reading environment variables: what each kind takes just up to its bounds, and what it gives after a fault."""

import pytest

from shared.domain.policy import AmountCheck, Environment
from shared.lib.env import Variables, is_address, is_loopback, split_address

ADDRESS = "must be an https:// address of a host, without credentials, query or fragment"
ORIGINS = "must be origins, each https://host with at most a port, and never *"
ON_LOOPBACK = "http:// is accepted for loopback only"


def test_an_empty_variable_is_not_given():
    read = Variables({"A": "", "B": " ", "C": "0"})
    read.require("A", "here")
    read.require("B", "here")
    assert (read.given, read.faults) == ({"B": " ", "C": "0"}, ["A is required here"])


def test_after_a_fault_the_value_has_the_right_type():
    read = Variables({"X": "?"})
    assert read.choice("X", AmountCheck.DOUBT) is AmountCheck.DOUBT
    assert read.number("X", 7, most=9) == 7
    assert (read.text("X", "[a-z]", "a letter"), read.address("X", clear=True), read.required_choice("X", AmountCheck)) == (
        None,
        None,
        None,
    )
    assert read.faults == [
        "X must be alert or doubt",
        "X must be a whole number from 1 to 9",
        "X must be a letter",
        f"X {ADDRESS}",
        "X must be alert or doubt",
    ]


def test_an_absent_variable_has_its_default_without_a_fault():
    read = Variables({})
    assert (read.choice("X", AmountCheck.DOUBT), read.number("X", 7, most=9), read.origins("X", clear=True)) == (AmountCheck.DOUBT, 7, ())
    assert (read.text("X", "x", "x"), read.address("X", clear=True), read.faults) == (None, None, [])
    assert read.required_choice("X", Environment) is None
    assert read.faults == ["X is required: local, uat, staging or production"]


@pytest.mark.parametrize("value", ["2", "3", "9", "0000000002", "0000000009"])
def test_a_number_is_accepted_from_its_least_to_its_most(value):
    read = Variables({"X": value})
    assert (read.number("X", 5, least=2, most=9), read.faults) == (int(value), [])


@pytest.mark.parametrize("value", ["0", "1", "10", "00000000002", "2 ", "+2", "2.0", "two", "\u0662", "-2"])
def test_a_number_beyond_its_bounds_or_in_another_form_is_a_fault(value):
    read = Variables({"X": value})
    assert (read.number("X", 5, least=2, most=9), read.faults) == (5, ["X must be a whole number from 2 to 9"])


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://a.example", None),
        ("https://a.example:8443/path", None),
        ("http://127.0.0.1:1", "must be https:// in production"),
        ("http://localhost", "must be https:// in production"),
        ("http://a.example", f"must be https://; {ON_LOOPBACK}"),
        *((address, ADDRESS) for address in ("ftp://a.example", "ftp://127.0.0.1", "//a.example", "a.example", "https://", "https://a b")),
    ],
)
def test_an_address_is_https_and_on_this_machine_perhaps_http(address, fault):
    read = Variables({"X": address})
    assert read.address("X", clear=False) == (None if fault else address)
    assert read.faults == ([f"X {fault}"] if fault else [])
    clear = None if fault == "must be https:// in production" else fault
    assert is_address(address, clear=False) is (fault is None)
    assert is_address(address, clear=True) is (clear is None)


@pytest.mark.parametrize(
    ("origins", "fault"),
    [
        ("https://a.example", None),
        (" https://a.example:8443 ,, https://b.example,", None),
        ("http://localhost:3000", None),
        ("http://a.example", f"must be https:// origins; {ON_LOOPBACK}, and not in production"),
        *((origin, ORIGINS) for origin in ("ftp://a.example", "app://localhost", "https://A.example", "https://a.example/", "*", "null")),
    ],
)
def test_origins_are_https_and_on_this_machine_perhaps_http(origins, fault):
    read = Variables({"X": origins})
    assert read.origins("X", clear=True) == tuple(filter(None, map(str.strip, origins.split(","))))
    assert read.faults == ([f"X {fault}"] if fault else [])
    if "localhost:3000" in origins:
        read.origins("X", clear=False)
        assert read.faults == [f"X must be https:// origins; {ON_LOOPBACK}, and not in production"]


def test_each_faulty_origin_is_a_fault():
    read = Variables({"X": "*,http://a.example,https://a.example,null"})
    read.origins("X", clear=True)
    assert read.faults == [f"X {ORIGINS}", f"X must be https:// origins; {ON_LOOPBACK}, and not in production", f"X {ORIGINS}"]


@pytest.mark.parametrize(
    "address",
    [
        *("https://a.example/" + "x" * 1983, "https://a.example/é", "https://a.example/a b", "https://a.example\n", ""),
        *(
            "https://user@a.example",
            "https://a.example?",
            "https://a.example/#",
            "https://a.example\\",
            "https://a.example/\\",
            "https://a.example:0",
        ),
        *("https://a.example:x", "https://a.example:65536", "https://*", "https://a~b", "https://[::1", "https:///a", "a"),
    ],
)
def test_only_a_host_with_at_most_a_port_and_a_path_has_parts(address):
    assert split_address(address) is None


def test_an_address_of_two_thousand_letters_has_its_parts():
    parts = split_address("https://A.example:65535/" + "x" * 1976)
    assert parts is not None and (parts.scheme, parts.hostname, parts.port, len(parts.path)) == ("https", "a.example", 65535, 1977)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        *((host, True) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost")),
        *((host, False) for host in ("10.0.0.1", "::2", "LOCALHOST", "a.localhost", "", None)),
    ],
)
def test_loopback_is_the_loopback_addresses_and_one_name(host, is_here):
    assert is_loopback(host) is is_here
