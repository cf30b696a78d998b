"""Numbers and texts of the configuration: accepted up to their bounds, refused beyond."""

import pytest

from shared.config import ConfigError, load
from tests.unit.configurations import LOCAL, MOST, NUMBERS, UAT, faults


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e3", "1_000", " 10", "ten", "٣", "9" * 10, "9" * 5000])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_positive_whole_and_bounded(name, value):
    assert name in faults({**LOCAL, name: value})


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_a_number_is_accepted_up_to_its_bound_and_refused_from_there_on(name, most):
    roomy = {"FUNCTION_TIMEOUT_SECONDS": "3600", "VENDING_LEASE_SECONDS": "86400", "MAXIMUM_AMOUNT_CENTS": "100000000"}

    assert faults({**LOCAL, **roomy, name: str(most)}) == set()
    with pytest.raises(ConfigError, match=f"{name} must be a whole number from 1 to {most}"):
        load({**LOCAL, **roomy, name: str(most + 1)}, "purchase")


@pytest.mark.parametrize("name", sorted(set(MOST) - {"FUNCTION_TIMEOUT_SECONDS", "VENDING_LEASE_SECONDS", "MAXIMUM_AMOUNT_CENTS"}))
def test_a_number_may_be_one(name):
    assert faults({**LOCAL, name: "1"}) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEMART_TENDER_TYPE", "Credit Card"),
        ("MOBILEMART_UTILITY_PRODUCT_ID", "two words"),
        ("MOBILEMART_REPRINT_BY", "receipt"),
        ("CONSUMER_DETAILS", "none"),
        ("FIRESTORE_DATABASE", "Sales"),
        ("GOOGLE_CLOUD_PROJECT", "My Project"),
        ("EVENTS_TOPIC", "transactions"),
        ("EVENTS_TOPIC", "projects/p/topics/"),
        ("SETTLEMENT_FILES", "s3://bucket"),
        ("SETTLEMENT_FILES", "gs://"),
        ("SETTLEMENT_FILES", "/folder"),
        ("SETTLEMENT_MERCHANT", "A.B"),
        ("OIDC_SCOPE", "two scopes"),
        ("OIDC_SCOPE_CLAIM", "claims"),
        ("OIDC_ISSUER_ALIASES", "http://old.example"),
        ("OIDC_ISSUER_ALIASES", "https://issuer.example"),
        ("OIDC_ISSUER_ALIASES", "https://old.example,https://old.example"),
        ("IAP_AUDIENCE", "projects/1/global/backendServices/2"),
    ],
)
def test_a_malformed_variable_is_refused(name, value):
    assert faults({**UAT, name: value}) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("MOBILEMART_TENDER_TYPE", "x" * length) for length in (1, 40)),
        *(("MOBILEMART_UTILITY_PRODUCT_ID", value) for value in ("!", "~" * 100)),
        *(("FIRESTORE_DATABASE", value) for value in ("(default)", "ab", "a" * 63, "a-9")),
        *(("GOOGLE_CLOUD_PROJECT", value) for value in ("p", "domain.example:p-1", "9" * 101)),
        *(("EVENTS_TOPIC", f"projects/p/topics/{topic}") for topic in ("abc", "A~%+._-9", "t" * 255)),
        *(("SETTLEMENT_FILES", value) for value in ("gs://abc", "gs://a.b_c-9/", "gs://abc/deep/prefix", "file:///f")),
        *(("SETTLEMENT_MERCHANT", value) for value in ("a", "A-9_", "m" * 100)),
        *(("OIDC_AUDIENCE", value) for value in ("!", "~" * 500)),
        *(("OIDC_SCOPE", value) for value in ("!", "vas:purchase/[1]", "s" * 200)),
        *(("IAP_AUDIENCE", value) for value in ("/projects/1/!", f"/projects/{'9' * 20}/{'~' * 300}")),
        *(("MOBILEMART_CLIENT_ID_SECRET", f"projects/p/secrets/{'s' * 255}/versions/{name}") for name in ("latest", "90", "live-1")),
        *(("OIDC_ISSUER_ALIASES", value) for value in ("https://a.example", "https://a.example , ,https://b.example,")),
    ],
)
def test_a_well_formed_variable_is_taken_up_to_its_bounds(name, value):
    assert faults({**UAT, name: value}) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEMART_TENDER_TYPE", "x" * 41),
        ("MOBILEMART_UTILITY_PRODUCT_ID", "~" * 101),
        *(("FIRESTORE_DATABASE", value) for value in ("a", "a" * 64, "9a", "default)")),
        *(("GOOGLE_CLOUD_PROJECT", value) for value in ("-p", "9" * 102)),
        *(("EVENTS_TOPIC", f"projects/p/topics/{topic}") for topic in ("ab", "9bc", "t" * 256)),
        *(("SETTLEMENT_FILES", value) for value in ("gs://ab", "gs://ab-", "gs://Abc", "file:///", "file://f")),
        *(("SETTLEMENT_MERCHANT", value) for value in ("m" * 101, "a b")),
        ("OIDC_AUDIENCE", "~" * 501),
        *(("OIDC_SCOPE", value) for value in ('a"b', "a\\b", "s" * 201)),
        *(("IAP_AUDIENCE", value) for value in ("/projects/1/", "/projects/x/y", f"/projects/{'9' * 21}/a", f"/projects/1/{'~' * 301}")),
        *(("MOBILEMART_CLIENT_ID_SECRET", f"projects/p/secrets/{name}") for name in (f"{'s' * 256}/versions/1", "s/versions/01")),
    ],
)
def test_a_variable_beyond_its_bounds_is_refused(name, value):
    assert faults({**UAT, name: value}) == {name}
