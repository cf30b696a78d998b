"""All the mistakes that can be planted in a module: each changes one small thing of its syntax tree."""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.root import ROOT

COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Pow: ast.Mult,
}
SWAPPED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
LOGS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
Function = ast.FunctionDef | ast.AsyncFunctionDef
Statements = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Raise, ast.Return, ast.Delete, ast.Break, ast.Continue)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake. `old` and `new` are source text: of the changed expression, within its statement where that tells more."""

    file: str  # from the root of the repository
    scope: str  # the function or class that it is in; "" for the module itself
    old: str
    new: str
    number: int  # from 1, where one scope holds the same change more than once
    line: int
    lines: tuple[int, int]  # of the statement, or of its head
    names: frozenset[str]  # what the module-level statement defines, where the mistake is made as the module is imported
    tree: ast.Module = field(repr=False, compare=False)

    @property
    def is_in_function(self) -> bool:
        """Whether a function that lives can be struck, without importing its module anew."""
        return not self.names

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it in the list of equivalents, wherever its line moves to."""
        again = f" #{self.number}" if self.number > 1 else ""
        return self.file, self.scope, f"{self.old} -> {self.new}{again}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.scope}: {self.key[2]}"


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a node: `old` and `new` as they are shown. Made by `make`, on a copy of the tree, whose node it is given."""

    node: ast.AST
    new: ast.AST | None  # None deletes it
    within: ast.AST  # what is shown


def mutants_of(path: Path) -> list[Mutant]:
    """Every mistake of this module, in the order of its text."""
    return mutants_in(path.relative_to(ROOT).as_posix(), path.read_text())


def mutants_in(file: str, text: str) -> list[Mutant]:
    """Every mistake of this text of a module."""
    return _Module(file, ast.parse(text)).mutants()


class _Module:
    def __init__(self, file: str, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        self.seen: Counter[tuple[str, str, str]] = Counter()

    def mutants(self) -> list[Mutant]:
        return [self._made(change) for node in self._mutable(self.tree) for change in changes_of(node, self.parents)]

    def _mutable(self, node: ast.AST) -> Iterator[ast.AST]:
        """What may be changed: no annotation, decorator, import, assertion, docstring, or name of a type."""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.JoinedStr | ast.TypeAlias):
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("super().__init__(") and _is_error(node, self.parents):
            return
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and _is_log(node.value)):
            yield node  # its words are for people
            return
        yield node
        for name, value in ast.iter_fields(node):
            if name in (
                "annotation",
                "returns",
                "decorator_list",
                "bases",
                "keywords" if isinstance(node, ast.ClassDef) else "",
                "type_params",
            ):
                continue
            if isinstance(node, ast.Call) and name == "func" and isinstance(value, ast.Name) and value.id in ("TypeVar", "NewType", "cast"):
                break
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._mutable(child)

    def _made(self, change: _Change) -> Mutant:
        scope, names = self._place(change.node)
        statement = self._statement(change.node)
        old, new = _shown(change)
        self.seen[scope, old, new] += 1
        return Mutant(
            self.file,
            scope,
            old,
            new,
            number=self.seen[scope, old, new],
            line=getattr(change.node, "lineno", getattr(statement, "lineno", 1)),
            lines=_lines_of(statement, change.node),
            names=frozenset(names),
            tree=_replaced(self.tree, self.parents, change.node, change.new),
        )

    def _statement(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.stmt | ast.match_case | ast.ExceptHandler):
            node = self.parents[node]
        return node

    def _place(self, node: ast.AST) -> tuple[str, set[str]]:
        """The qualified scope, and what is defined there, unless it is in a function's body."""
        path: list[str] = []
        names: set[str] = set()
        in_function = False
        child = node
        while (parent := self.parents.get(child)) is not None:
            if isinstance(parent, Function | ast.ClassDef):
                path.append(parent.name)
                if isinstance(parent, Function) and child in parent.body:
                    in_function = True
                if not in_function:
                    names.add(parent.name)
            if not in_function and isinstance(child, ast.Assign | ast.AnnAssign):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                names.update(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
            child = parent
        if not in_function and not names:
            names.add("*")
        return ".".join(reversed(path)), set() if in_function else names


def _is_error(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether it stands in the class of an exception, whose text is for people."""
    while not isinstance(node, ast.ClassDef):
        node = parents[node]
    return any("Exception" in ast.unparse(base) or "Error" in ast.unparse(base) for base in node.bases)


def _is_log(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOGS
        and "log" in ast.unparse(node.func).lower()
    )


def _lines_of(statement: ast.AST, node: ast.AST) -> tuple[int, int]:
    """Of a compound statement its head; of a deleted or simple one all lines."""
    if isinstance(statement, ast.match_case):
        return statement.pattern.lineno, (statement.guard or statement.pattern).end_lineno or statement.pattern.lineno
    first = getattr(statement, "lineno", 1)
    if isinstance(statement, ast.If | ast.While):
        return first, statement.test.end_lineno or first
    if isinstance(statement, ast.For | ast.AsyncFor):
        return first, statement.iter.end_lineno or first
    if isinstance(statement, ast.Match):
        return first, statement.subject.end_lineno or first
    if isinstance(statement, ast.With | ast.AsyncWith):
        return first, statement.items[-1].context_expr.end_lineno or first
    if isinstance(statement, ast.Try | ast.ExceptHandler | ast.ClassDef | Function):
        return first, max(first, getattr(node, "end_lineno", first))
    return first, getattr(statement, "end_lineno", first)


def changes_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[_Change]:
    """The mistakes that can be made at this very node."""
    parent = parents.get(node)
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                for other in COMPARED[type(op)]:
                    yield _Change(node, ast.Compare(node.left, [*ops[:at], other(), *ops[at + 1 :]], node.comparators), node)
        case ast.BoolOp(op=op, values=values):
            yield _Change(node, ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values), node)
            for at in range(len(values)):
                rest = [*values[:at], *values[at + 1 :]]
                yield _Change(node, rest[0] if len(rest) == 1 else ast.BoolOp(op, rest), node)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield _Change(node, operand, node)
        case ast.BinOp(op=op) if type(op) in COMPUTED and not _is_of_types(node):
            yield _Change(node, ast.BinOp(node.left, COMPUTED[type(op)](), node.right), node)
        case ast.AugAssign(op=op) if type(op) in COMPUTED:
            yield _Change(node, ast.AugAssign(node.target, COMPUTED[type(op)](), node.value), node)
        case ast.Constant() if not _is_text_for_people(node, parents):
            for value in _other_values(node):
                yield _Change(node, ast.Constant(value), _line_around(node, parents))
        case ast.Name(id=name) if name in SWAPPED and isinstance(parent, ast.Call) and parent.func is node:
            yield _Change(node, ast.Name(SWAPPED[name], ast.Load()), parent)
        case ast.Set(elts=members) | ast.Tuple(elts=members, ctx=ast.Load()) | ast.List(elts=members, ctx=ast.Load()):
            if len(members) > 1 and (not isinstance(node, ast.Tuple) or _is_collection(node, parents)):
                for at in range(len(members)):
                    rest = [*members[:at], *members[at + 1 :]]
                    yield _Change(node, _with(node, elts=rest), node)
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for at in range(len(keys)):
                yield _Change(node, ast.Dict([*keys[:at], *keys[at + 1 :]], [*values[:at], *values[at + 1 :]]), node)
        case ast.Slice(lower=lower, upper=upper):
            if lower is not None:
                yield _Change(node, ast.Slice(None, upper, node.step), parent or node)
            if upper is not None:
                yield _Change(node, ast.Slice(lower, None, node.step), parent or node)
        case ast.match_case(guard=guard) if isinstance(parent, ast.Match) and len(parent.cases) > 1 and not _is_unreachable(node):
            yield _Change(node, None, node)
            if guard is not None:
                yield _Change(guard, ast.Constant(value=True), guard)
                yield _Change(guard, ast.Constant(value=False), guard)
        case ast.Subscript(slice=ast.Constant(value=0), ctx=ast.Load()):
            yield _Change(node, _with(node, slice=ast.UnaryOp(ast.USub(), ast.Constant(1))), node)
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)), ctx=ast.Load()):
            yield _Change(node, _with(node, slice=ast.Constant(0)), node)
        case _:
            pass
    yield from _conditions(node)
    if isinstance(node, Statements):
        yield from _deletions(node, parents)


def _conditions(node: ast.AST) -> Iterator[_Change]:
    tests: list[ast.expr] = []
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            tests = [test]
        case ast.While(test=test):
            if not isinstance(test, ast.Constant):
                yield _Change(test, ast.Constant(value=False), test)
        case ast.comprehension(ifs=ifs):
            tests = ifs
        case _:
            pass
    for test in tests:
        yield _Change(test, ast.Constant(value=True), test)
        yield _Change(test, ast.Constant(value=False), test)
        if not isinstance(test, ast.Compare) and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            yield _Change(test, ast.UnaryOp(ast.Not(), test), test)


def _deletions(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[_Change]:
    function = _function_of(node, parents)
    match node:
        case ast.Expr() | ast.Delete() | ast.Raise() | ast.AugAssign():
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and function is not None):
                yield _Change(node, ast.Pass(), node)
        case ast.Assign(targets=targets) if function is not None:
            if all(isinstance(target, ast.Attribute | ast.Subscript) or _is_known(target, node, function) for target in targets):
                yield _Change(node, ast.Pass(), node)
        case ast.AnnAssign(target=target, value=value) if function is not None and value is not None:
            if isinstance(target, ast.Attribute | ast.Subscript):
                yield _Change(node, ast.Pass(), node)
        case ast.Return(value=value) if function is not None and value is not None and not _is_none(value):
            returns = "" if function.returns is None else ast.unparse(function.returns)
            if "None" in returns:
                yield _Change(node, ast.Return(ast.Constant(None)), node)
        case ast.Return(value=None):
            yield _Change(node, ast.Pass(), node)
        case ast.Break():
            yield _Change(node, ast.Continue(), node)
            yield _Change(node, ast.Pass(), node)
        case ast.Continue():
            yield _Change(node, ast.Break(), node)
            yield _Change(node, ast.Pass(), node)
        case _:
            pass


def _function_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Function | None:
    while (above := parents.get(node)) is not None:
        if isinstance(above, Function):
            return above
        node = above
    return None


def _is_known(target: ast.AST, node: ast.Assign, function: Function) -> bool:
    """Whether a name is set elsewhere in the function too: without that, its assignment cannot go unnoticed."""
    if not isinstance(target, ast.Name):
        return False
    arguments = function.args
    names = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    for other in ast.walk(function):
        if isinstance(other, ast.Name) and isinstance(other.ctx, ast.Store) and other is not target:
            names.add(other.id)
    return target.id in names


def _other_values(node: ast.Constant) -> list[object]:
    match node.value:
        case bool(value):
            return [not value]
        case int(value):
            return [value + 1, value - 1] + ([0] if value not in (0, 1, -1) else [])
        case float(value):
            return [value + 1, 0.0] if value else [1.0]
        case str(value):
            return [f"{value}~"]  # in an expression for text too, it is one letter more
        case bytes(value):
            return [value + b"~"]
        case _:
            return []


def _is_text_for_people(node: ast.Constant, parents: dict[ast.AST, ast.AST]) -> bool:
    """The text of an error or a log line, and any that is a phrase. A number is none."""
    if not isinstance(node.value, str):
        return False
    if " " in node.value.strip():
        return True
    above: ast.AST | None = node
    while above is not None and not isinstance(above, ast.stmt):
        if isinstance(above, ast.Call) and (_is_log(above) or _raises(above)):
            return True
        above = parents.get(above)
    return isinstance(above, ast.Raise)


def _raises(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rsplit(".", 1)[-1]
    return name.endswith(("Error", "Exception"))


def _is_collection(node: ast.Tuple, parents: dict[ast.AST, ast.AST]) -> bool:
    """A tuple whose length is free: what is looked up, looped over, caught, or a constant of the module."""
    parent = parents.get(node)
    match parent:
        case ast.Compare(comparators=comparators):
            return node in comparators and any(isinstance(op, ast.In | ast.NotIn) for op in parent.ops)
        case ast.For(iter=looped) | ast.comprehension(iter=looped):
            return looped is node
        case ast.ExceptHandler(type=caught):
            return caught is node
        case ast.AnnAssign(value=value) | ast.Assign(value=value):
            return value is node and _function_of(node, parents) is None
        case ast.Call(func=ast.Name(id=name)):
            return (
                name in ("isinstance", "frozenset", "set", "any", "all", "max", "min", "sum", "tuple", "list", "dict")
                and node in parent.args
            )
        case _:
            return False


def _is_of_types(node: ast.BinOp) -> bool:
    """`int | None` is a type, and no sum."""
    if not isinstance(node.op, ast.BitOr):
        return False
    parts = (node.left, node.right)
    return any(_is_none(part) or (isinstance(part, ast.Name) and part.id[:1].isupper() and not part.id.isupper()) for part in parts) or any(
        isinstance(part, ast.Name) and part.id in ("int", "str", "bytes", "float", "bool", "dict", "list", "tuple", "date", "datetime")
        for part in parts
    )


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_unreachable(case: ast.match_case) -> bool:
    """What is there for the type checker, or does nothing."""
    return all("assert_never" in ast.unparse(statement) or isinstance(statement, ast.Pass) for statement in case.body)


def _line_around(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.AST:
    """The widest expression around a constant that still reads as one line."""
    around = node
    while (
        (above := parents.get(around)) is not None and isinstance(above, ast.expr | ast.keyword | ast.arguments) and len(_text(above)) <= 90
    ):
        around = above
    return around if isinstance(around, ast.expr | ast.keyword) else node


def _with(node: ast.AST, **fields: object) -> ast.AST:
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@cache
def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _shown(change: _Change) -> tuple[str, str]:
    """Both as text."""
    old = " ".join(_text(change.within).split())
    if change.new is None:
        return f"{old[:120]}", "(left out)"
    if change.within is change.node:
        return old, " ".join(ast.unparse(change.new).split())
    parents = {child: parent for parent in ast.walk(change.within) for child in ast.iter_child_nodes(parent)}
    return old, " ".join(ast.unparse(_replaced(change.within, parents, change.node, change.new)).split())


def _replaced(tree: ast.AST, parents: dict[ast.AST, ast.AST], node: ast.AST, new: ast.AST | None) -> Any:
    """The tree with another node, sharing with it all that is not on the way there."""
    if new is not None:
        new = copy.copy(new)
        ast.copy_location(new, node)
        for child in ast.iter_child_nodes(new):
            if not hasattr(child, "lineno") and isinstance(child, ast.expr):
                ast.copy_location(child, node)
    old = node
    while old is not tree:
        parent = parents[old]
        new = _with_child(parent, old, new)
        old = parent
    return new


def _with_child(parent: ast.AST, old: ast.AST, new: ast.AST | None) -> ast.AST:
    made = copy.copy(parent)
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(made, name, new)
        elif isinstance(value, list) and any(one is old for one in value):
            setattr(made, name, [new if one is old else one for one in value if one is not old or new is not None])
    return made
