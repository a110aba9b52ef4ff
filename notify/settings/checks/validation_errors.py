"""Validate the merged values: one line for each mistake, with its key and fix, never the value."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from notify.errors import ConfigError
from notify.settings.checks.cross_checks import cross_checks
from notify.settings.checks.finding import ConfigFinding, shown_key, suggestion
from notify.settings.checks.lines import located
from notify.settings.model import Settings
from notify.settings.sources import PREFIX, Key, Tree

_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of options",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number: nothing may wait forever",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list of names",
    "missing": "is missing; set it",
    "model_type": "must be a table of options",
    "path_type": "must be a path, in quotes",
    "string_type": "must be text, in quotes",
    "string_pattern_mismatch": "has the wrong form; see config/notify.toml",
    "too_short": "must list at least one",
}


def validated(tree: Tree) -> tuple[Settings | None, list[ConfigFinding]]:
    """Return the settings, or None and every mistake."""
    findings = list(cross_checks(tree))
    try:
        settings = Settings.model_validate(tree.values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=True)
        findings = [*(_finding(each, tree) for each in errors), *findings]
        return None, located(findings, tree)
    return (None if findings else settings), located(findings, tree)


def error_of(findings: Sequence[ConfigFinding], *, file: Path | None) -> ConfigError:
    """Return the error that lists the mistakes."""
    count = "a mistake" if len(findings) == 1 else f"{len(findings)} mistakes"
    place = f" ({file})" if file else ""
    lines = "".join(f"\n  {finding}" for finding in findings)
    return ConfigError(f"the configuration{place} has {count}:{lines}")


def _finding(error: ErrorDetails, tree: Tree) -> ConfigFinding:
    key = tuple(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return _unknown(key, tree)
    return ConfigFinding(shown_key(key, tree), _text(error))


def _text(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    message = error["msg"].replace("Input should be", "must be")
    return _WORDS.get(error["type"], message)


def _unknown(key: Key, tree: Tree) -> ConfigFinding:
    known = _fields(key[:-1])
    origin = tree.origin(key)
    if origin.kind in ("environment", "credential"):
        # The whole variable that was probably meant, since a nested name is easy to get wrong.
        rest = origin.name.removeprefix(PREFIX).split("__")[len(key) :]
        names = ["__".join([PREFIX + "__".join([*key[:-1], k]).upper(), *rest]) for k in known]
        return ConfigFinding(
            origin.name, f"unknown option ({origin.kind}); {_hint(origin.name, names)}"
        )
    return ConfigFinding(shown_key(key, tree), f"unknown option; {suggestion(key[-1], known)}")


def _hint(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f"did you mean {near[0]}?" if near else "see config/notify.toml for all of them"


def _fields(key: Key) -> list[str]:
    """Return the options that exist under a key."""
    model: type[BaseModel] | None = Settings
    parts = iter(key)
    for part in parts:
        if model is None or part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = [annotation, *get_args(annotation)]
        if len(inner) > 1:
            next(parts, None)
        models = [each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)]
        model = models[0] if models else None
    return list(model.model_fields) if model else []
