"""Judges what was said: every mistake as one line with its key and its fix, never its value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from notify.errors import ConfigError
from notify.settings.model import LONGEST_TIMEOUT, Settings
from notify.settings.sources import PREFIX, Key, Tree

_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of options",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number: nothing may wait for ever",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list of names",
    "missing": "is missing; set it",
    "model_type": "must be a table of options",
    "path_type": "must be a path, in quotes",
    "string_type": "must be text, in quotes",
    "string_pattern_mismatch": "has another form than expected; see config/notify.toml",
    "too_short": "must name at least one",
}

# Any other part of a key may be a secret that was written on the wrong side of its equals sign.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,31}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake or warning."""

    key: str
    text: str

    def __str__(self) -> str:
        """Return the line shown to the operator."""
        return f"{self.key}: {self.text}"


def judge(tree: Tree) -> tuple[Settings | None, list[Finding]]:
    """Return the settings, or None and every mistake."""
    findings = list(_crossings(tree))
    try:
        settings = Settings.model_validate(tree.values)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=True)
        findings = [*(_finding(each, tree) for each in told), *findings]
        return None, findings
    return (None if findings else settings), findings


def error_of(findings: Sequence[Finding], *, file: Path | None) -> ConfigError:
    """Return the error that lists the mistakes."""
    count = "a mistake" if len(findings) == 1 else f"{len(findings)} mistakes"
    place = f" ({file})" if file else ""
    lines = "".join(f"\n  {finding}" for finding in findings)
    return ConfigError(f"the configuration{place} has {count}:{lines}")


def named(key: Key, tree: Tree) -> str:
    """Return the key for a reader, with its variable or credential if it came from one."""
    shown = ".".join(part if _PLAIN.fullmatch(part) else "(hidden)" for part in key)
    origin = tree.origin(key)
    if origin.kind in ("environment", "credential"):
        return f"{shown} ({origin.kind} {origin.name})"
    return shown


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return the hint to the known word that is meant, or to all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are: {', '.join(known)}" if known else "none is defined"


def _finding(error: ErrorDetails, tree: Tree) -> Finding:
    key = tuple(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return _unknown(key, tree)
    return Finding(named(key, tree), _text(error))


def _text(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    message = error["msg"].replace("Input should be", "must be")
    return _WORDS.get(error["type"], message)


def _unknown(key: Key, tree: Tree) -> Finding:
    known = _fields(key[:-1])
    origin = tree.origin(key)
    if origin.kind in ("environment", "credential"):
        # The variable that is meant, spelled out, since a nested name is easy to get wrong.
        rest = origin.name.removeprefix(PREFIX).split("__")[len(key) :]
        names = ["__".join([PREFIX + "__".join([*key[:-1], k]).upper(), *rest]) for k in known]
        return Finding(origin.name, f"unknown option ({origin.kind}); {_hint(origin.name, names)}")
    return Finding(named(key, tree), f"unknown option; {suggestion(key[-1], known)}")


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


def _crossings(tree: Tree) -> Iterator[Finding]:
    """Yield what no option shows alone, on the raw values, so that one run tells all."""
    for section, option, meant in (
        ("pools", "lanes", "lanes"),
        ("channels", "providers", "providers"),
    ):
        known = list(table(tree.values, meant))
        for name, options in table(tree.values, section).items():
            for position, word in enumerate(listed(options, option)):
                if word not in known:
                    key = named((section, name, option), tree)
                    text = f"number {position + 1} is not in [{meant}]; {suggestion(word, known)}"
                    yield Finding(key, text)
    yield from _timeouts(tree)
    yield from _tls(tree)


def _timeouts(tree: Tree) -> Iterator[Finding]:
    for name, provider in table(tree.values, "providers").items():
        options = table(provider, "options") if isinstance(provider, dict) else {}
        seconds = options.get("timeout", LONGEST_TIMEOUT)
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0 < seconds <= LONGEST_TIMEOUT:
            key = named(("providers", name, "options", "timeout"), tree)
            text = (
                f"must be a number of seconds, written in the file, above 0 and at most"
                f" {LONGEST_TIMEOUT:g}: a call that lasts as long as its claim could be made twice"
            )
            yield Finding(key, text)


def _tls(tree: Tree) -> Iterator[Finding]:
    amqp = table(tree.values, "amqp")
    on = str(amqp.get("tls", False)).lower() in ("true", "1", "yes", "on")
    for option in ("ca_file", "cert_file", "key_file"):
        if option in amqp and not on:
            key = named(("amqp", option), tree)
            yield Finding(key, "has no effect without TLS; set amqp.tls = true, or remove it")
    if "key_file" in amqp and "cert_file" not in amqp:
        yield Finding(named(("amqp", "key_file"), tree), "needs amqp.cert_file beside it")
    url = amqp.get("url", "")
    if on and isinstance(url, str) and not re.search(r":\d+(/|$)", url):
        key = named(("amqp", "url"), tree)
        yield Finding(key, "with TLS the port must be written; it is usually 5671")


def table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of the raw values, empty where something else was written."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def listed(options: Any, name: str) -> list[str]:
    """Return a list of names from raw options, empty where something else was written."""
    value = options.get(name) if isinstance(options, dict) else None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
