"""Values that become text: only a text or a number may enter a message."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from jinja2 import filters, pass_eval_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext, Expr
from jinja2.runtime import Undefined
from markupsafe import escape

from notify.templating.refused import ValueRefused

_KINDS = {
    type(None): "null",
    bool: "true or false",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
}
_OF_TEXT = (
    "capitalize", "e", "escape", "lower", "round", "title", "trim", "truncate", "upper",
    "urlencode",
)  # fmt: skip


def printable(value: Any) -> Any:
    """Return a text, a number or missing data unchanged.

    Raises:
        ValueRefused: It is null, a list, a mapping, true, false, or not a finite number, all of
            which are mistakes in a message.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueRefused("the value to print is not a finite number")
    if isinstance(value, str | Undefined) or type(value) in (int, float):
        return value
    raise ValueRefused(
        f"the value to print is {_KINDS.get(type(value), 'neither text nor a number')}"
    )


def text_of(value: Any) -> str:
    """Return a value as text; raises the errors of `printable`."""
    return value if type(value) is str else str(printable(value))


def html_of(value: Any) -> str:
    """Return a value as HTML, escaped as MarkupSafe does; raises the errors of `printable`."""
    if type(value) is str:
        # Without the object that MarkupSafe makes around the text.
        text: str = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return text.replace("'", "&#39;").replace('"', "&#34;")
    return str(escape(printable(value)))


class DirectOutput(CodeGenerator):
    """Generates code that writes each value in one call: `html_of` or `text_of`."""

    def _output_child_pre(self, node: Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_pre(node, frame, finalize)
        else:
            name = "html_of" if frame.eval_ctx.autoescape else "text_of"
            self.write(f"environment.{name}(")

    def _output_child_post(self, node: Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_post(node, frame, finalize)
        else:
            self.write(")")


@pass_eval_context
def join(
    context: EvalContext, values: Any, separator: Any = "", attribute: str | int | None = None
) -> str:
    """Join texts and numbers, as Jinja's own filter does; `attribute` names an item of each."""
    if values is None or isinstance(values, dict):
        printable(values)  # raises for its kind
    if attribute is not None:
        values = map(filters.make_attrgetter(context.environment, attribute), values)
    checked = [printable(value) for value in values]
    joined: str = filters.do_join(context, checked, printable(separator))
    return joined


def _of_printable(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses unprintable values, which Jinja's own writes as Python does."""
    place = 1 if hasattr(change, "jinja_pass_arg") else 0

    @wraps(change)
    def checked(*values: Any, **options: Any) -> Any:
        printable(values[place])
        return change(*values, **options)

    return checked


PRINTING: dict[str, Callable[..., Any]] = {
    "join": join,
    **{name: _of_printable(filters.FILTERS[name]) for name in _OF_TEXT},
}
"""Jinja's filters that turn a value into text, by the names that templates use."""
