"""Run one compiled template within its limits, and report errors without the data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2.runtime import new_context

from notify.contract import turns_direction
from notify.errors import TemplateError
from notify.templating.budget import BUDGET
from notify.templating.flat import FlatTemplate
from notify.templating.refused import ValueRefused

MAX_PART = 512 * 1024
"""The most characters of one part of a message."""

UNSUBSCRIBE_URL = "unsubscribe_url"
"""The variable with the recipient's link; only messages of a subscription have it."""

MAX_LINE = 998
"""The most characters of a subject or title: the longest line of RFC 5322 (2.1.1)."""

# Characters that end a header line, or could be read as its end: C0, DEL, C1, and separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Jinja's texts for mistakes that only the template's author can correct.
_OWN_MISTAKE = re.compile(
    r"Required block '(?P<required>\w+)' not found"
    r"|there is no parent block called '(?P<super>\w+)'\."
    r"|extended multiple times"
)
# Spaces, line ends, controls and formats, such as U+200B and U+FEFF: all are invisible.
_BLANK = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_NO_LINK = (
    f"{UNSUBSCRIBE_URL} exists only in a category that is a subscription: name one in the request,"
    " or test the name with `is defined`"
)
_HEADERS = frozenset({"subject", "title"})


ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    AssertionError,  # raised by Jinja's filters, for their arguments
    AttributeError,
    LookupError,
    NameError,  # Jinja writes a constant beyond all numbers as `inf`
    RuntimeError,
    TypeError,
    ValueError,
)
"""All errors of expressions over JSON values; their texts may contain such values."""


@dataclass(frozen=True, slots=True)
class CompiledPart:
    """A compiled part of a message."""

    template: jinja2.Template
    flat: FlatTemplate | None = None
    """The same as one file, if it can be; it does not know the places of mistakes."""

    def write(self, values: dict[str, Any]) -> str:
        """
        Return the output.

        Args:
            values: As for `write`; they include the sandbox's globals.

        Raises:
            TemplateError: As `write`.
        """
        if self.flat is not None:
            budget = values[BUDGET]
            left = budget.left
            try:
                return _joined(self.flat.chunks(values))
            except ERRORS:
                # Rendered again as written, which names the file and line.
                budget.left = left
        return write(self.template, values)


def write(template: jinja2.Template, values: dict[str, Any]) -> str:
    """Return the output of a template; stop as soon as it is too large.

    Raises:
        TemplateError: It cannot be rendered with these values; the text names file and line.
    """
    try:
        # Shared: the context reads the values and does not change them, so it needs no copy.
        context = new_context(
            template.environment, template.name, template.blocks, values, shared=True
        )
        return _joined(template.root_render_func(context))
    except ERRORS as error:
        raise TemplateError(explain(error, str(template.name))) from None


def _joined(output: Iterator[str]) -> str:
    chunks, size = [], 0
    for chunk in output:
        size += len(chunk)
        if size > MAX_PART:
            raise ValueRefused(f"the output has more than {MAX_PART:,} characters")
        chunks.append(chunk)
    return "".join(chunks)


def checked(words: str, *, part: str, where: str) -> str:
    """Return the text of a part, checked and trimmed; `where` names the template in errors.

    Raises:
        TemplateError: It is empty, cannot be encoded, or could break out of a header.
    """
    try:
        words.isascii() or words.encode()
    except UnicodeEncodeError:
        raise TemplateError(f"{where}: the data contains half a character (a surrogate)") from None
    if part not in _HEADERS:
        words = words.strip()
    elif len(words) > MAX_LINE:
        raise TemplateError(f"{where}: the {part} has more than {MAX_LINE} characters")
    elif _CONTROL.search(words):
        raise TemplateError(f"{where}: the {part} contains a line break or a control character")
    elif turns_direction(words):
        raise TemplateError(f"{where}: the {part} contains a bidirectional override")
    if not words[:1].isalnum() and not any(_visible(each) for each in words):
        raise TemplateError(f"{where}: the {part} is empty")
    return words


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in _BLANK


def explain(error: Exception, path: str) -> str:
    """Return one line with the file, its line and the reason, and no value of the data."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{error.name or path}{line}: {error.message}"
    where = _line(error) or path
    if (own := _own_mistake(error, path, where)) is not None:
        return own
    match error:
        case jinja2.UndefinedError() if str(error) == f"'{UNSUBSCRIBE_URL}' is undefined":
            return f"{where}: {_NO_LINK}"
        case jinja2.UndefinedError():
            return f"{where}: missing data: {error.message}"
        case jinja2.TemplateNotFound():
            return f"{where}: there is no file {error.name}"
        case ValueRefused():
            return f"{where}: {error}"
        case _:
            return f"{where}: does not work with this data ({type(error).__name__})"


def missing_block(path: str, block: str, layout: str) -> str:
    """Return one line on a block that `layout`, a file or its line, requires and `path` lacks."""
    return f"{path}: the block {block!r} is missing, which {layout} requires"


def no_parent(block: str) -> str:
    """Return why `super()` cannot be called in a block."""
    return f"super() in the block {block!r}, which no extended file has"


def _own_mistake(error: Exception, path: str, where: str) -> str | None:
    """Return the text of a mistake that does not depend on the data; None for other errors."""
    match = (
        _OWN_MISTAKE.fullmatch(str(error))
        if isinstance(error, jinja2.TemplateRuntimeError)
        else None
    )
    if match is None:
        return None
    if match["required"]:
        return missing_block(path, match["required"], where)
    return f"{where}: {no_parent(match['super']) if match['super'] else match[0]}"


def _line(error: Exception) -> str | None:
    """Return the template and line of an error: the innermost compiled by Jinja."""
    where = None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
            where = f"{template.name}, line {line}"
        trace = trace.tb_next
    return where
