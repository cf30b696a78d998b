"""The mistakes that `make mutants` draws from: which there are, and that each of them is one."""

import ast
import textwrap

import pytest

from tests.mutation.__main__ import core, equivalents
from tests.mutation.mutants import ROOT, mutants_in, mutants_of

KINDS = {
    "a < b": {"a <= b", "a >= b"},
    "a is None": {"a is not None"},
    "a and b": {"a or b", "a", "b"},
    "not a": {"a"},
    "a + 1": {"a - 1", "a + 2", "a + 0"},
    "{'one', 'two'}": {"{'one'}", "{'two'}", "{'one?', 'two'}", "{'one', 'two?'}"},
    "min(a, b)": {"max(a, b)"},
    "any(a)": {"all(a)"},
    "a[0]": {"a[-1]", "a[1]"},
    "a[b:c]": {"a[:c]", "a[b:]"},
    "b if a else c": {"True", "False", "not a"},
    "True": {"False"},
}


def changes(source):
    return [mutant.new for mutant in mutants_in("shared/made_up.py", textwrap.dedent(source))]


@pytest.mark.parametrize("expression", KINDS)
def test_each_kind_of_expression_can_be_mistaken(expression):
    assert KINDS[expression] <= set(changes(f"def f(a, b, c) -> int:\n    return {expression}"))


def test_each_kind_of_statement_can_be_left_out():
    source = """
        def f(a) -> int | None:
            for b in a:
                if b:
                    break
                continue
            a.b = c(a)
            c(a)
            if a:
                raise ValueError("no")
            return a
    """
    assert {"continue", "break", "pass", "return None"} <= set(changes(source))
    assert changes(source).count("pass") == 5


def test_a_case_and_its_guard_can_be_mistaken():
    source = """
        match a:
            case 1 if b:
                c = 0
            case _:
                c = d
    """
    assert {"(left out)", "True", "False"} <= set(changes(source))


@pytest.mark.parametrize(
    "harmless", ['"""Words."""', 'raise ValueError(f"no {a}")', 'assert a, "words"', "import b", "log.info('word', a)", "a: 'b'"]
)
def test_words_for_people_and_what_is_for_the_type_checker_stay(harmless):
    assert set(changes(f"def f(a):\n    {harmless}")) <= {"pass"}


@pytest.mark.parametrize("path", core()[::9], ids=lambda path: path.stem)
def test_every_mistake_of_a_module_has_a_name_of_its_own_and_compiles(path):
    made = mutants_of(path)

    assert len({mutant.key for mutant in made}) == len(made) > 0
    for mutant in made[::9]:
        compile(ast.fix_missing_locations(mutant.tree), str(path), "exec")


def test_every_equivalent_has_its_reason():
    for (file, _, _), reason in equivalents().items():
        assert (ROOT / file).is_file() and len(reason.split()) >= 4, file
