"""The breaks of a module: the operators of Cosmic Ray, and two for SQL and for calls."""

from __future__ import annotations

import ast
import random
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

EQUIVALENT = ("NoOp", "Eq_Is", "Eq_IsNot", "NotEq_Is", "NotEq_IsNot", "RemoveDecorator")
"""Suffixes of operators whose breaks change nothing, or that any linter rejects."""
CONDITIONS = frozenset({"where", "and_", "having"})

Position = tuple[int, int]
Span = tuple[Position, Position]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break: its module, place and operator, and the changed text."""

    module: Path
    line: int
    operator: str
    code: str


class DropCondition(Operator):  # type: ignore[misc]
    """Removes one condition of a statement's `where`."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Find each argument of a call that joins conditions."""
        for argument in _conditions(node):
            yield argument.start_pos, argument.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Replace an argument by a true condition."""
        argument = _conditions(node)[index]
        space = argument.get_first_leaf().prefix
        siblings = argument.parent.children
        siblings[siblings.index(argument)] = parso.parse(f'{space}__import__("sqlalchemy").true()')
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none: Cosmic Ray tests its own operators by them."""
        return ()


class DropCall(Operator):  # type: ignore[misc]
    """Removes a statement that is only a call."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Find a statement that is a call."""
        if _is_call_statement(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ARG002
        """Replace it by `pass`."""
        node.children[0] = parso.parse(f"{node.get_first_leaf().prefix}pass")
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none: Cosmic Ray tests its own operators by them."""
        return ()


def sample(root: Path, modules: list[Path], *, chance: random.Random) -> Iterator[Mutant]:
    """Yield a break of each place, in random order, each with one random operator."""
    places = [
        (module, ways)
        for module in modules
        for ways in _places((root / module).read_text()).values()
    ]
    chance.shuffle(places)
    for module, ways in places:
        name, operator, occurrence, line = chance.choice(ways)
        code = mutate_code((root / module).read_text(), operator, occurrence)
        if code is not None and _compiles(code):
            yield Mutant(module, line, name, code)


def _places(source: str) -> dict[Span, list[tuple[str, Operator, int, int]]]:
    """Return all breaks of each place of a module, except annotations and imports."""
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    never = list(_never_run(source))
    found: dict[Span, list[tuple[str, Operator, int, int]]] = defaultdict(list)
    for name, operator in _operators():
        spans = (span for node in nodes for span in operator.mutation_positions(node))
        for occurrence, span in enumerate(spans):
            if not any(begin <= span[0] and span[1] <= end for begin, end in never):
                found[span].append((name, operator, occurrence, span[0][0]))
    return dict(sorted(found.items()))


def _operators() -> Iterator[tuple[str, Operator]]:
    for name in sorted(operator_names()):
        make = get_operator(name)
        if not make.arguments() and not name.endswith(EQUIVALENT):
            yield name.rpartition("/")[2], make()
    yield "DropCondition", DropCondition()
    yield "DropCall", DropCall()


def _conditions(node: Any) -> list[Any]:
    """Return the arguments of a call that joins conditions, given the node of its parentheses."""
    if node.type != "trailer" or node.children[0].value != "(" or len(node.children) != 3:
        return []
    before = node.get_previous_leaf()
    if before is None or before.value not in CONDITIONS:
        return []
    inside = node.children[1]
    each = inside.children[::2] if inside.type == "arglist" else [inside]
    return [one for one in each if one.type != "argument"]


def _is_call_statement(node: Any) -> bool:
    if node.type != "simple_stmt" or node.children[0].type != "atom_expr":
        return False
    last = node.children[0].children[-1]
    return bool(last.type == "trailer" and last.children[0].value == "(")


def _never_run(source: str) -> Iterator[Span]:
    """Yield the spans of annotations and decorators, which other checks cover."""
    for node in ast.walk(ast.parse(source)):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")]
        for part in [*filter(None, parts), *getattr(node, "decorator_list", ())]:
            yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)


def _compiles(code: str) -> bool:
    with warnings.catch_warnings():
        # Such as `is` with a literal.
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            compile(code, "mutant", "exec")
        except SyntaxError:
            return False
    return True
