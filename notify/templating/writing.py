"""Run one compiled template within its limits, and say what went wrong without the data."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import jinja2

from notify.contract import turns_direction
from notify.errors import TemplateError
from notify.templating.refused import ValueRefused

MAX_PART = 512 * 1024
"""How many characters one part of a message may have."""

MAX_LINE = 998
"""How many a subject or title may have: the longest line of RFC 5322 (2.1.1)."""

# What ends a header line, or could be taken for it: C0, DEL, C1, and Unicode's own separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Jinja's words for what only a template's author can mend.
_OWN_FAULT = re.compile(
    r"Required block '(?P<required>\w+)' not found"
    r"|there is no parent block called '(?P<super>\w+)'\."
    r"|extended multiple times"
)
# Spaces, line ends, controls and formats, such as U+200B and U+FEFF: nobody sees them.
_BLANK = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_HEADERS = frozenset({"subject", "title"})


def write(template: jinja2.Template, values: dict[str, Any]) -> str:
    """Fill a template; stops as soon as the output grows too large.

    Raises:
        TemplateError: It cannot be rendered with these values; names the file and the line.
    """
    chunks, size = [], 0
    try:
        for chunk in template.root_render_func(template.new_context(values)):
            size += len(chunk)
            if size > MAX_PART:
                raise ValueRefused(f"the output has more than {MAX_PART:,} characters")
            chunks.append(chunk)
    except (
        # All that an expression over JSON values can raise; their texts may hold such values.
        jinja2.TemplateError,
        ArithmeticError,
        AssertionError,  # by Jinja's filters, of their own arguments
        AttributeError,
        LookupError,
        NameError,  # Jinja writes a constant beyond all numbers as `inf`
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise TemplateError(explain(error, str(template.name))) from None
    return "".join(chunks)


def checked(words: str, *, part: str, where: str) -> str:
    """The words of a part as they may be sent; `where` names the template in errors.

    Raises:
        TemplateError: They are empty, cannot be encoded, or could break out of a header.
    """
    try:
        words.encode()
    except UnicodeEncodeError:
        raise TemplateError(f"{where}: the data holds half a character (a surrogate)") from None
    if part not in _HEADERS:
        words = words.strip()
    elif len(words) > MAX_LINE:
        raise TemplateError(f"{where}: the {part} has more than {MAX_LINE} characters")
    elif _CONTROL.search(words):
        raise TemplateError(f"{where}: the {part} holds a line break or a control character")
    elif turns_direction(words):
        raise TemplateError(f"{where}: the {part} holds a bidirectional override")
    if not any(unicodedata.category(each) not in _BLANK for each in words):
        raise TemplateError(f"{where}: the {part} is empty")
    return words


def explain(error: Exception, path: str) -> str:
    """One line that names the file, its line and the reason, and no value of the data."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{error.name or path}{line}: {error.message}"
    where = _line(error) or path
    if (own := _own_fault(error, path, where)) is not None:
        return own
    match error:
        case jinja2.UndefinedError():
            return f"{where}: missing data: {error.message}"
        case jinja2.TemplateNotFound():
            return f"{where}: there is no file {error.name}"
        case ValueRefused():
            return f"{where}: {error}"
        case _:
            return f"{where}: does not work with this data ({type(error).__name__})"


def missing_block(path: str, block: str, layout: str) -> str:
    """One line that names a block that `layout`, a file or its line, requires and `path` lacks."""
    return f"{path}: the block {block!r} is missing, which {layout} requires"


def no_parent(block: str) -> str:
    """Why `super()` cannot be called in a block."""
    return f"super() in the block {block!r}, which no file has that this one extends"


def _own_fault(error: Exception, path: str, where: str) -> str | None:
    """The text of what is the template's mistake whatever the data; None for all else."""
    match = (
        _OWN_FAULT.fullmatch(str(error)) if isinstance(error, jinja2.TemplateRuntimeError) else None
    )
    if match is None:
        return None
    if match["required"]:
        return missing_block(path, match["required"], where)
    return f"{where}: {no_parent(match['super']) if match['super'] else match[0]}"


def _line(error: Exception) -> str | None:
    """Where in the templates it happened: the innermost that Jinja had compiled."""
    where = None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
            where = f"{template.name}, line {line}"
        trace = trace.tb_next
    return where
