"""The open questions about the supplier, and which of our settings holds each assumed answer. One list.

`docs/supplier-questions.md` states for each why the promise holds under every answer, and what to do about it.
"""

from dataclasses import dataclass
from typing import Final

RECEIPTS: Final = "shared/mobilemart/receipts.py"
CHARGES: Final = "shared/mobilemart/charges.py"
STATUS_WORDS: Final = "shared/mobilemart/status_words.py"
ANSWERS: Final = "shared/mobilemart/responses.py"
WIRE: Final = "shared/mobilemart/requests.py"
CODES: Final = "shared/mobilemart/error_codes.py"
CONFIG: Final = "shared/config.py"
MATCHING: Final = "shared/settlement/matching.py"


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable that `shared/config.py` reads, or a name in the module `where`."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Question:
    """One open question. `ask` is how to find the answer if the probe cannot, or was not asked to."""

    name: str
    text: str
    settings: tuple[Setting, ...]
    ask: str

    @property
    def held_by(self) -> str:
        """Group the settings by their places; an environment variable is its own place."""
        places: dict[str, list[str]] = {setting.where: [] for setting in self.settings}
        for setting in self.settings:
            places[setting.where].append(setting.name)
        return "; ".join(", ".join(names) + ("" if where == CONFIG else f" in {where}") for where, names in places.items())


def _at(where: str, *names: str) -> tuple[Setting, ...]:
    return tuple(Setting(name, where) for name in names)


BUY: Final = "buy: --buy AMOUNT --save FOLDER"
SUPPLIER: Final = "ask the supplier"
FILE: Final = "the first settlement file: GET /reports/DAY"

QUESTIONS: Final = (
    Question("access-token-refusal", "What does a call with a bad access token get?", _at(CODES, "STATUSES"), "the probe, without buying"),
    Question(
        "electricity-product",
        "Which electricity product is to be used?",
        _at(CONFIG, "MOBILEMART_UTILITY_PRODUCT_ID"),
        "the list of utility",
    ),
    Question(
        "product-id",
        "Can a product's id change?",
        _at(CONFIG, "MOBILEMART_UTILITY_PRODUCT_ID"),
        f"the probe again, with the variable set; {SUPPLIER}",
    ),
    Question("reprint-parameters", "What are a reprint's parameters called?", _at(WIRE, "reprint_call"), "the probe, without buying"),
    Question(
        "reprint-absence",
        "What does a reprint say of a sale that never was?",
        (*_at(CODES, "TRANSACTION_DOES_NOT_EXIST"), *_at(CONFIG, "IN_DOUBT_MINIMUM_AGE_SECONDS")),
        "the probe, without buying",
    ),
    Question("reprint-services", "Which services have a reprint?", _at(WIRE, "REPRINTED"), "the probe, without buying"),
    Question("reprint-lookup", "By which id does a reprint find a sale?", _at(CONFIG, "MOBILEMART_REPRINT_BY"), BUY),
    Question("reprint-tokens", "Does a reprint deliver what was sold?", _at(ANSWERS, "read_reprint"), BUY),
    Question(
        "reprint-retention",
        "For how long can a sale be reprinted?",
        _at(CONFIG, "REVIEW_AFTER_SECONDS"),
        "days later: --reprint REQUEST_ID",
    ),
    Question(
        "repeated-request-id",
        "What does a repeated requestId do?",
        _at("shared/vending/purchasing.py", "SENDS"),
        f"{BUY} --repeat-request-id AMOUNT",
    ),
    Question(
        "answer-final", "Is a 2xx with an id final?", (*_at(ANSWERS, "read_vend"), *_at(STATUS_WORDS, "_NO", "_NOT_YET", "_YES")), BUY
    ),
    Question("token-keys", "Which keys of a token hold its digits and kind?", _at(RECEIPTS, "TOKEN_KEYS", "KIND_KEYS"), BUY),
    Question("units-key", "Which key holds the units?", _at(RECEIPTS, "UNIT_KEYS"), BUY),
    Question(
        "amount-unit",
        "Is the amount of a sale said in rand?",
        (*_at(CONFIG, "MOBILEMART_AMOUNT_CHECK"), *_at(RECEIPTS, "amount_said")),
        BUY,
    ),
    Question(
        "fixed-costs",
        "What is in fixedCosts?",
        _at(CHARGES, "CHARGE_NAME_KEYS", "CHARGE_AMOUNT_KEYS", "_DEBT"),
        "buy for a meter with arrears, and --save",
    ),
    Question("prevend-fields", "What does a prevend say?", _at(ANSWERS, "read_prevend"), "--meter or --account"),
    Question(
        "prevend-validity",
        "How long is a prevend good?",
        _at(CONFIG, "PREVEND_VALID_SECONDS"),
        f"{BUY} --prevend-age SECONDS, longer each time",
    ),
    Question(
        "meter-unknown",
        "What is said of a meter that does not exist?",
        _at(CODES, "CODES", "RECIPIENT_REFUSED"),
        "the probe, without buying",
    ),
    Question(
        "error-codes", "Which codes exist, with which statuses?", _at(CODES, "CODES", "NEVER_EVIDENCE"), "the log: `unknown supplier code`"
    ),
    Question("tender-types", "Which tender types are there?", _at(CONFIG, "MOBILEMART_TENDER_TYPE"), SUPPLIER),
    Question(
        "mobile-number-form", "Which form of mobile number is taken?", _at(WIRE, "mobile_form"), "buy airtime: --service airtime --mobile"
    ),
    Question(
        "bill-amount", "Does a bill's prevend take the amount?", _at(WIRE, "prevend_call"), "--service bill-payment --account --product"
    ),
    Question(
        "convenience-fee",
        "Is a bill's fee on top of its amount?",
        (*_at(RECEIPTS, "_with_bill"), *_at(MATCHING, "FileInterpretation.fee_is_on_top")),
        FILE,
    ),
    Question(
        "rate-limit",
        "How many calls may be made?",
        (*_at(CONFIG, "MOBILEMART_CALLS_PER_SECOND"), *_at(ANSWERS, "BUSY_SECONDS")),
        f"{SUPPLIER}; the log of reconcile",
    ),
    Question(
        "switch-time",
        "How long may the switch take?",
        _at(CONFIG, "MOBILEMART_TIMEOUT_SECONDS", "IN_DOUBT_MINIMUM_AGE_SECONDS"),
        f"{SUPPLIER}; the seconds of each step",
    ),
    Question(
        "idle-connections",
        "When does the switch close idle connections?",
        _at("shared/mobilemart/http_exchange.py", "IDLE_SECONDS"),
        SUPPLIER,
    ),
    Question("file-id", "Which of our ids does the settlement file carry?", _at(MATCHING, "FileInterpretation.merchant_id"), FILE),
    Question("binned", "What does Binned mean?", _at(MATCHING, "FileInterpretation.binned_is_charged"), f"{SUPPLIER}; {FILE}"),
    Question(
        "negative-lines", "What are negative lines?", _at(MATCHING, "FileInterpretation.reversals_are_expected"), f"{SUPPLIER}; {FILE}"
    ),
    Question(
        "file-delivery",
        "When do files come, and for which day?",
        (*_at(CONFIG, "SETTLEMENT_MERCHANT"), *_at("shared/domain/clock.py", "BUSINESS_TIME")),
        f"{SUPPLIER}; {FILE}",
    ),
    Question(
        "file-corrections",
        "What follows when a file is delivered in parts or corrected?",
        _at("shared/settlement/file_selection.py", "Choice"),
        f"{SUPPLIER}; {FILE}",
    ),
    Question(
        "file-encoding",
        "In which encoding are files written?",
        _at("shared/mobilemart/settlement_file.py", "SettlementFile"),
        f"{SUPPLIER}; {FILE}",
    ),
    Question("file-push", "How and from where does the supplier push its files?", _at(CONFIG, "SETTLEMENT_FILES"), SUPPLIER),
    Question("float-balance", "Can our float be read?", _at(CODES, "FLOAT_EXHAUSTED"), SUPPLIER),
)
