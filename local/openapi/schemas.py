"""The forms of the API description: what every body looks like, each field with its meaning and an example."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from local.openapi.examples import composed, special
from local.openapi.reports import DaysBody, ReportBody, SettledDayBody, SettledDaysBody
from local.openapi.structs import form_of
from local.openapi.words import WORDS, Word
from shared.domain.discrepancy import OurSide, TheirSide
from shared.schemas.operator_requests import ClosureBody, ResolutionBody, SellingBody
from shared.schemas.requests import PREVENDS, PURCHASES
from shared.schemas.responses import DayBody, EventBody, HealthBody, PrevendBody, ProblemBody, ProductsBody, TransactionBody
from shared.schemas.transaction_detail import DossierBody, FoundBody, RetiredBody, UnreadDossierBody
from shared.web.backoffice import DiscrepancyBody, PausedBody, SweptBody
from shared.web.erasures import ErasedBody, ErasureBody, ErasuresBody, RetainedBody
from shared.web.problem_pages import ExplainedListBody

Json = dict[str, Any]

_OF_APPS: Final = (DayBody, EventBody, ExplainedListBody, HealthBody, PrevendBody, ProblemBody, ProductsBody, TransactionBody)
_OF_OPERATORS: Final = (
    *(DiscrepancyBody, DossierBody, ErasedBody, ErasuresBody, FoundBody, PausedBody, RetainedBody, RetiredBody, SweptBody),
    UnreadDossierBody,
)
_OF_REPORTS: Final = tuple(form_of(kind) for kind in (DaysBody, OurSide, ReportBody, SettledDayBody, SettledDaysBody, TheirSide))
_OF_PURCHASES: Final = tuple(model for models in PURCHASES.values() for model in models)
_REQUESTS: Final = tuple(dict.fromkeys([ClosureBody, ErasureBody, ResolutionBody, SellingBody, *PREVENDS.values(), *_OF_PURCHASES]))

_DESCRIPTIONS: Final[Mapping[str, str]] = {  # of forms without a docstring, or with one for readers of the code
    "CallerBody": "Who bought, as the issuer of their token names them.",
    "ChargeBody": "A fixed cost or debt that the utility took from the amount.",
    "ConsumerBody": "Whom the meter or account belongs to, masked unless the environment shows details.",
    "Environment": "Where this is: `local` is a developer's machine.",
    "FileNoteBody": "A form of the file that is beside the letter of its format, and changes nothing that is compared.",
    "HealthBody": "That the function runs, and where its sales go.",
    "HistoryBody": "One line of a sale's history, to which lines are only added.",
    "MeterBody": "The meter's STS settings, each as the supplier's text.",
    "Mode": "Where sales go. Neither mode ever sees the other's.",
    "PauseBody": "One service that is not sold.",
    "ProductBody": "Something that can be bought.",
    "ProductsBody": "The catalogue of one service.",
    "ReceiptConsumerBody": "Whom the meter or account belongs to, masked unless the environment shows details.",
    "Severity": "How grave a difference is; `critical` costs money or a customer.",
    "State": (
        "`vending`: the sale is running. `in_doubt`: it may or may not have vended. `vended`: it was delivered. "
        "`rejected`: nothing was or will be vended. The last two are final."
    ),
    "Retry": (
        "What may be sent next. `same-key`: the same request, under the same key. `new-key`: the same request, under a new key. "
        "`change`: not as it is; where the body says `state`, a changed request needs a new key. `never`: nothing."
    ),
    "TokenBody": "An STS token.",
    "TotalBody": "How many sales or lines, and their value.",
    "VasType": "The kinds of service.",
}


class _Untitled(GenerateJsonSchema):
    """Schemas without titles of fields: a title would repeat the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, Json]:
    """Every form by its name, in order."""
    forms = _generated()
    for name, form in forms.items():
        form["description"] = _DESCRIPTIONS.get(name, form.get("description", ""))
        for field, schema in form.get("properties", {}).items():
            form["properties"][field] = _in_words(schema, word_of(name, field))
    for name, form in forms.items():
        form["examples"] = [composed(forms, name)]
    for name, examples in special(forms).items():
        forms[name]["examples"] = examples
    return forms


def word_of(form: str, field: str) -> Word:
    """The meaning of a field of a form.

    Raises:
        LookupError: `WORDS` has no row for the field.
    """
    return WORDS.get(f"{form}.{field}") or WORDS[field]


def refers(schema: Json) -> bool:
    """Whether a field refers to another form. That form has the examples."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.endswith("Body")
        case {"anyOf": choices}:
            return any(refers(choice) for choice in choices)
        case {"items": items}:
            return refers(items)
        case _:
            return False


def _generated() -> dict[str, Json]:
    answers = (*_OF_APPS, *_OF_OPERATORS, *_OF_REPORTS)
    inputs = [(model, "validation", TypeAdapter(model)) for model in _REQUESTS]
    outputs = [(model, "serialization", TypeAdapter(model)) for model in answers]
    _, generated = TypeAdapter.json_schemas(
        [*inputs, *outputs],  # type: ignore[list-item]
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    forms: dict[str, Json] = dict(sorted(generated["$defs"].items()))
    sides = forms["DiscrepancyBody"]["properties"]
    for side, form in (("ours", "OursBody"), ("theirs", "TheirsBody")):  # stored documents, which the code types as objects
        sides[side] = {"anyOf": [{"$ref": f"#/components/schemas/{form}"}, {"type": "null"}]}
    return forms


def _in_words(schema: Json, word: Word) -> Json:
    """A field with its meaning and format, and with an example unless it refers to another form."""
    described = {**schema, "description": word.description}
    if word.format is not None:
        described["format"] = word.format
    if not refers(schema):
        described["examples"] = [word.example]
    return described
