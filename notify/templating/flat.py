"""
A template with all that it extends and includes, as one file: the same output in half the time.

Jinja renders each block and each included file with a generator, and each included file with a
context of its own. A template whose output could differ without them is not flattened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.nodes import EvalContext
from jinja2.runtime import Context

from notify.templating.dialect import TemplateSandbox, compiling

MOST_FILES = 64
"""Files of one template, each counted as often as it is included."""

_OF_BLOCKS = frozenset({"self", "super"})
# A file that is included in a loop does not see the loop's own `loop`.
_LOOP = "loop"
# Filters read it from the context, which a name set in a block or an included file does not change.
_LOCALE = "locale"


class _NotFlat(Exception):
    """The template must be rendered as its author wrote it."""


def flattened(sandbox: TemplateSandbox, path: str) -> FlatTemplate | None:
    """Return a template with those that it refers to in their places; None if it cannot be flat."""
    try:
        with compiling(path):
            body = _Inliner(sandbox, iter(range(MOST_FILES)), frozenset()).body(path)
        tree = nodes.Template(body, lineno=1)
        tree.set_environment(sandbox)
        code = sandbox.compile(tree, path, path)
    except (_NotFlat, jinja2.TemplateError):
        return None
    return FlatTemplate(jinja2.Template.from_code(sandbox, code, sandbox.globals))


class FlatTemplate:
    """A compiled template that refers to no other file and has no blocks."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template
        self._evaluation = EvalContext(template.environment, template.name)

    def chunks(self, values: dict[str, Any]) -> Iterator[str]:
        """Yield the output; *values* include the sandbox's globals, and are not changed."""
        return self._template.root_render_func(_Context(self._template, self._evaluation, values))


class _Context(Context):
    """The names of one render; no template changes how expressions are evaluated."""

    def __init__(
        self, template: jinja2.Template, evaluation: EvalContext, values: dict[str, Any]
    ) -> None:
        self.parent = values
        self.vars = {}
        self.exported_vars = set()
        self.environment = template.environment
        self.eval_ctx = evaluation
        self.name = template.name
        self.globals_keys = set()
        self.blocks = {}


class _Inliner:
    """A file and the chain of files that it extends."""

    def __init__(
        self, sandbox: TemplateSandbox, count: Iterator[int], above: frozenset[str]
    ) -> None:
        self._sandbox = sandbox
        self._count = count
        """Counts the files that may still be read."""
        self._above = above
        """The files that include this one, and those that they extend."""
        self._blocks: dict[str, nodes.Block] = {}
        """By name; a file's own before those of the file that it extends."""

    def body(self, path: str) -> list[nodes.Node]:
        """Return the statements of a file."""
        before: list[nodes.Node] = []
        while True:
            tree = self._read(path)
            place = next((n for n, each in enumerate(tree.body) if _extends(each)), None)
            if place is None:
                return _merged(self._placed([*before, *tree.body]))
            before += _kept(tree.body, place)
            path = _path(tree.body[place])

    def _read(self, path: str) -> nodes.Template:
        if path in self._above or next(self._count, None) is None:
            raise _NotFlat
        self._above |= {path}
        tree = self._sandbox.checked_tree(path)
        _refuse_dependent_names(tree)
        placed = [each for each in tree.body if isinstance(each, nodes.Block | nodes.Extends)]
        if len(placed) != len(list(tree.find_all((nodes.Block, nodes.Extends)))):
            raise _NotFlat
        for block in (each for each in placed if isinstance(each, nodes.Block)):
            if block.scoped or _sets_late(block.body):
                raise _NotFlat
            self._blocks.setdefault(block.name, block)
        return tree

    def _placed(self, body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
        """Yield statements with the blocks and included files in their places."""
        for node in body:
            if isinstance(node, nodes.Block):
                block = self._blocks[node.name]
                if block.required:
                    raise _NotFlat
                yield from _scoped(_merged(self._placed(block.body)))
            elif isinstance(node, nodes.Include):
                if node.ignore_missing:
                    raise _NotFlat
                included = _Inliner(self._sandbox, self._count, self._above)
                yield from _scoped(included.body(_path(node)))
            else:
                for field in ("body", "elif_", "else_"):
                    if inner := getattr(node, field, None):
                        setattr(node, field, _merged(self._placed(inner)))
                yield node


def _extends(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Extends)


def _path(node: nodes.Node) -> str:
    named = node.template if isinstance(node, nodes.Extends | nodes.Include) else None
    if not isinstance(named, nodes.Const):
        raise _NotFlat
    return str(named.value)


def _refuse_dependent_names(tree: nodes.Template) -> None:
    """Raise `_NotFlat` if a name means something else once the file is put into another."""
    for name in tree.find_all(nodes.Name):
        if name.name in _OF_BLOCKS or (name.name == _LOCALE and name.ctx != "load"):
            raise _NotFlat
    if _LOOP in meta.find_undeclared_variables(tree) or _sets_late(tree.body):
        raise _NotFlat


def _kept(body: Sequence[nodes.Node], extended: int) -> Iterator[nodes.Node]:
    """Yield the statements of a file that count although it extends another."""
    for n, node in enumerate(body):
        if isinstance(node, nodes.Assign) or (isinstance(node, nodes.Output) and n < extended):
            yield node
        elif not isinstance(node, nodes.Block | nodes.Output) and n != extended:
            raise _NotFlat


def _sets_late(body: Sequence[nodes.Node]) -> bool:
    """
    Whether a name is set after a block or an included file, which would read the name too early.

    Blocks are looked into separately.
    """
    referred = False
    for node in _in_order(body):
        if isinstance(node, nodes.Block | nodes.Include):
            referred = True
        elif referred and isinstance(node, nodes.Assign):
            return True
    return False


def _in_order(body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        yield node
        if not isinstance(node, nodes.Block):
            yield from _in_order(list(node.iter_child_nodes()))


def _scoped(body: list[nodes.Node]) -> list[nodes.Node]:
    """Return statements that keep the names that they set to themselves."""
    if any(isinstance(node, nodes.Assign) for node in _in_order(body)):
        return [nodes.Scope(body, lineno=1)]
    return body


def _merged(body: Iterator[nodes.Node]) -> list[nodes.Node]:
    """Return statements with neighbouring texts as one."""
    merged: list[nodes.Node] = []
    for node in body:
        last = merged[-1] if merged else None
        if isinstance(node, nodes.Output) and isinstance(last, nodes.Output):
            last.nodes = [*last.nodes, *node.nodes]
        else:
            merged.append(node)
    return merged
