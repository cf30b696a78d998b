"""The mistakes that `make mutants` draws from: which there are, and that each of them is one."""

import ast
import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.mutation import trials
from tests.mutation.__main__ import core, equivalents
from tests.mutation.mutants import mutants_in, mutants_of
from tests.root import ROOT

KINDS = {
    "a < b": {"a <= b", "a >= b"},
    "a is None": {"a is not None"},
    "a and b": {"a or b", "a", "b"},
    "not a": {"a"},
    "a + 1": {"a - 1", "a + 2", "a + 0"},
    "{'one', 'two'}": {"{'one'}", "{'two'}", "{'one~', 'two'}", "{'one', 'two~'}"},
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

    assert len({mutant.key for mutant in made}) == len(made)
    assert made or "def " not in path.read_text() or "Protocol" in path.read_text()  # some modules hold forms alone
    for mutant in made[::9]:
        compile(ast.fix_missing_locations(mutant.tree), str(path), "exec")


def test_every_equivalent_has_its_reason():
    for (file, _, _), reason in equivalents().items():
        assert (ROOT / file).is_file() and len(reason.split()) >= 4, file


@pytest.mark.parametrize(("new", "takes_it"), [("limit - 1", True), ("None", False)])
def test_a_function_in_a_function_takes_no_code_that_uses_other_names_of_the_outer_one(new, takes_it):
    def made(limit):
        def given():
            return limit + 1

        return given

    file, given = "shared/made_up.py", made(5)
    lines = ["def made(limit):", "    def given() -> int | None:", "        return limit + 1", "    return given"]
    (mutant,) = [mutant for mutant in mutants_in(file, "\n".join(lines)) if new in mutant.new]
    living = {(str(ROOT / file), "made.<locals>.given", 2): [given]}
    assert trials._strike(mutant, living, []) is takes_it
    assert given() == (4 if takes_it else 6)


TRIALS = """
import os, subprocess, sys
from tests.mutation import trials

def trial():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[1])
    os.write(SAID, b"begun;")
    sleeper.wait()

SAID = int(sys.argv[1])
trials.end_when_told()
for _ in trials.forked([trial, trial], 2):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_session_that_is_told_to_end_ends_whatever_its_trials_have_begun(number):
    said, into = os.pipe()
    source = TRIALS.replace("pass_fds=[1]", f"pass_fds=[{into}]")
    session = subprocess.Popen([sys.executable, "-c", source, str(into)], cwd=ROOT, pass_fds=[into])
    os.close(into)
    try:
        begun = b""
        while begun.count(b";") < 2:
            more = os.read(said, 100)
            assert more, "it ended before its trials had begun"
            begun += more
        session.send_signal(number)
        assert session.wait(20) == 128 + number
        readable, _, _ = select.select([said], [], [], 5)
        assert readable and os.read(said, 100) == b""  # nobody is left who could write to it
    finally:
        os.close(said)
        session.kill()
        session.wait()
