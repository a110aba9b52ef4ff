"""The Jinja dialect of the templates: plain data in, text out, no calls.

Rules about a template's text are checked when it is compiled, with the line; rules about the data
are checked while it renders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jinja2
from jinja2 import filters, meta, nodes
from jinja2 import tests as predicates
from jinja2.runtime import BlockReference, Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notify.templating.budget import BUDGET, Budget, counted, short_range
from notify.templating.formats import FORMATS
from notify.templating.printing import PRINTING, DirectOutput, html_of, printable, text_of
from notify.templating.refused import ValueRefused

_STATEMENTS = (
    nodes.Assign,
    nodes.Block,
    nodes.Extends,
    nodes.For,
    nodes.If,
    nodes.Include,
    nodes.Output,
    nodes.Scope,  # around autoescape, which is itself refused
    nodes.With,
)
_FILTERS = ("default", "first", "items", "last", "length")
_TESTS = ("boolean", "defined", "even", "none", "number", "odd", "string", "undefined")
_LOOP = frozenset(
    {"first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
)
# Names that no template can write.
_COUNTED = "counted loop"
_PRINTABLE = "printable operand"


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles templates that can only read JSON data and write text."""

    intercepted_binops = frozenset({"*", "%"})
    code_generator_class = DirectOutput
    html_of = staticmethod(html_of)
    text_of = staticmethod(text_of)

    def __init__(self, loader: jinja2.BaseLoader) -> None:
        super().__init__(
            loader=loader,
            undefined=jinja2.StrictUndefined,
            autoescape=_is_html,
            finalize=printable,  # of constants; `DirectOutput` writes all else
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,  # as many as there are files
        )
        allowed = {name: filters.FILTERS[name] for name in _FILTERS}
        self.filters = {**allowed, **PRINTING, **FORMATS}
        self.filters |= {_COUNTED: counted, _PRINTABLE: printable}
        self.tests = {name: predicates.TESTS[name] for name in _TESTS}
        self.globals = {"range": short_range}

    def values(self, data: Mapping[str, Any], *, locale: str) -> dict[str, Any]:
        """Return the names that a template can read, for one message."""
        return {**self.globals, **data, "locale": locale, BUDGET: Budget()}

    def source(self, path: str) -> str:
        """Return the text of a file; raise `jinja2.TemplateNotFound` if there is none."""
        assert self.loader is not None  # noqa: S101 - set in the constructor
        return self.loader.get_source(self, path)[0]

    def tree(self, path: str) -> nodes.Template:
        """Return a file's syntax tree."""
        with compiling(path):
            return self.parse(self.source(path), path)

    def checked_tree(self, path: str) -> nodes.Template:
        """Return a file's syntax tree; raise `jinja2.TemplateSyntaxError` for mistakes."""
        tree = self.tree(path)
        self._check(tree, path, None)
        return tree

    def variables(self, path: str, *, above: frozenset[str] = frozenset()) -> set[str]:
        """Return the names that a file, and those it extends or includes, reads from the data.

        Args:
            above: The files that refer to this one, which are not read again.
        """
        tree = self.tree(path)
        above |= {path}
        with compiling(path):
            given = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
            needed = meta.find_undeclared_variables(tree)
            referenced = list(meta.find_referenced_templates(tree))
        for other in referenced:
            if other is not None and other not in above:
                needed |= self.variables(other, above=above) - given
        return needed - {"locale"}

    def compile(
        self,
        source: str | nodes.Template,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> Any:
        """Refuse what a template may not do, count iterations, and check operands of `~`."""
        with compiling(name, filename):
            tree = (
                source if isinstance(source, nodes.Template) else self.parse(source, name, filename)
            )
            self._check(tree, name, filename)
            for loop in list(tree.find_all(nodes.For)):
                loop.iter = self._filtered(loop.iter, _COUNTED)
            for concat in list(tree.find_all(nodes.Concat)):
                concat.nodes = [self._filtered(each, _PRINTABLE) for each in concat.nodes]
            return super().compile(tree, name, filename, raw, defer_init)  # type: ignore[call-overload]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an item of the data or of `loop`; never an attribute of a Python object."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            return obj  # keeps the first name that was missing
        return self.undefined(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of the data by key or position; never an attribute of a Python object."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, dict | list | str):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        # The key may be a value of the data: do not name it.
        return self.undefined("an item that is looked up with [ ] is undefined")

    def is_safe_callable(self, obj: Any) -> bool:
        """Whether it is `super()` or `range()`; compilation refuses all others.

        Missing data raises when it is called, with a text that names it.
        """
        return obj is short_range or isinstance(obj, BlockReference | Undefined)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers only: refuse to repeat text with `*` or format it with `%`."""
        if not isinstance(left, int | float | Undefined):
            raise ValueRefused(f"{operator} works with numbers only")
        if not isinstance(right, int | float | Undefined):
            raise ValueRefused(f"{operator} works with numbers only")
        return super().call_binop(context, operator, left, right)

    def _check(self, tree: nodes.Template, name: str | None, filename: str | None) -> None:
        for node in tree.find_all(nodes.Node):
            mistake = _mistake(node, html=_is_html(name)) or self._unknown(node)
            if mistake:
                raise jinja2.TemplateSyntaxError(mistake, node.lineno, name, filename)
        extended = [node for node in tree.body if isinstance(node, nodes.Extends)]
        if len(extended) > 1:
            raise jinja2.TemplateSyntaxError("extended twice", extended[1].lineno, name, filename)

    def _unknown(self, node: nodes.Node) -> str | None:
        # Jinja itself does not check a branch of a condition until it runs.
        if isinstance(node, nodes.Filter) and node.name not in self.filters:
            return f"No filter named {node.name!r}."
        if isinstance(node, nodes.Test) and node.name not in self.tests:
            return f"No test named {node.name!r}."
        return None

    def _filtered(self, value: nodes.Node, name: str) -> nodes.Filter:
        return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno, environment=self)


@contextmanager
def compiling(name: str | None, filename: str | None = None) -> Iterator[None]:
    """
    Report errors of Python's compiler, which Jinja passes on, as mistakes of the template.

    They have no line: Python's lines are those of the code that Jinja generated.
    """
    try:
        yield
    except SyntaxError as error:
        raise jinja2.TemplateSyntaxError(error.msg, 0, name, filename) from None
    except (MemoryError, OverflowError, RecursionError, ValueError) as error:
        mistake = f"too long or too deeply nested to compile ({type(error).__name__})"
        raise jinja2.TemplateSyntaxError(mistake, 0, name, filename) from None


def _is_html(name: str | None) -> bool:
    return name is not None and name.endswith(".html.j2")


def _mistake(node: nodes.Node, *, html: bool) -> str | None:
    if isinstance(node, nodes.Extends | nodes.Include):
        return _reference_mistake(node, html=html)
    if isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS):
        return f"the statement {type(node).__name__} is not available"
    if isinstance(node, nodes.Call):
        callee = node.node.name if isinstance(node.node, nodes.Name) else None
        return None if callee in {"range", "super"} else "only range() and super() may be called"
    if isinstance(node, nodes.Pow):
        return "** is not available"
    return None


def _reference_mistake(node: nodes.Extends | nodes.Include, *, html: bool) -> str | None:
    path = node.template.value if isinstance(node.template, nodes.Const) else None
    if not isinstance(path, str) or not path.endswith(".j2"):
        return "extends and include must name one .j2 file, in quotes"
    if _is_html(path) is not html:
        # An included file is escaped by its own name, not by that of the including file.
        return "HTML may refer to .html.j2 files only, and plain text to none of them"
    if isinstance(node, nodes.Include) and not node.with_context:
        return "include without context is not available"
    return None
