"""The pages behind a problem's `type`: its meaning, its causes and the next step, as JSON or as a page without other resources. Pure."""

from typing import Final, NotRequired

from markupsafe import Markup
from typing_extensions import TypedDict

from shared.schemas.problems import KINDS, Name
from shared.schemas.refusals import Retry
from shared.web.templating import template

NAMES: Final[dict[str, Name]] = {name.value: name for name in sorted(KINDS, key=lambda name: (KINDS[name].status, name.value))}
"""Every problem by its name, in the order of their statuses."""

RETRY_WORDS: Final = {
    Retry.SAME_KEY: "the same request again, under the same key",
    Retry.NEW_KEY: "the same request again, under a new key",
    Retry.CHANGE: "not as it is: a changed request, under a new key where the answer says a state",
    Retry.NEVER: "nothing",
}


class ExplainedBody(TypedDict):
    """A problem's row of the table. `when` and `whatToDo` are Markdown."""

    type: str
    title: str
    status: int
    detail: str
    retry: Retry
    retryAfterSeconds: NotRequired[int]
    when: str
    whatToDo: str


class ExplainedListBody(TypedDict):
    """Every problem that there is."""

    problems: list[ExplainedBody]


def explained_body(name: Name) -> ExplainedBody:
    """The meaning of a problem."""
    kind = KINDS[name]
    body: ExplainedBody = {
        "type": f"/problems/{name.value}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail,
        "retry": kind.retry,
        "when": kind.when,
        "whatToDo": kind.what_to_do,
    }
    if kind.retry_after_seconds is not None:
        body["retryAfterSeconds"] = kind.retry_after_seconds
    return body


def explained_list_body() -> ExplainedListBody:
    """The meaning of every problem."""
    return {"problems": [explained_body(name) for name in NAMES.values()]}


def html_of(name: Name | None) -> bytes:
    """The page of one problem, or of all. Its links work wherever the function is mounted."""
    shown = list(NAMES.values()) if name is None else [name]
    page = template("problems.html", marked_up=_marked_up)
    return page.render(one=name, kinds={each.value: KINDS[each] for each in shown}, retries=RETRY_WORDS).encode()


def _marked_up(text: str) -> Markup:
    """The subset of Markdown in the table: code between backticks."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in parts)
