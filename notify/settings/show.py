"""The configuration in effect, option by option, with the source of each value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from notify.settings.checks.validation_errors import error_of, validated
from notify.settings.sources import Key, Origin, Tree, leaves, read
from notify.settings.urls import shown_url


@dataclass(frozen=True, slots=True)
class Effective:
    """One option in effect; its value as text, without passwords."""

    key: str
    value: str
    origin: Origin


def effective(
    path: Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> Iterator[Effective]:
    """
    Yield every option in effect, in the order of the model.

    Raises:
        ConfigError: The configuration has mistakes; lists them.
    """
    tree = read(path, environ=environ)
    settings, mistakes = validated(tree)
    if settings is None:
        raise error_of(mistakes, file=tree.file)
    for key, value in leaves(settings.model_dump()):
        origin = _origin(key, tree)
        written = "[hidden]" if _may_be_secret(key) else _written(value)
        yield Effective(".".join(key), written, origin)


def _origin(key: Key, tree: Tree) -> Origin:
    # A variable's key is in lower case and overrides the file; country codes are in upper case.
    lower = tuple(part.lower() for part in key)
    return tree.origins.get(lower) or tree.origins.get(key) or Origin("default")


def _may_be_secret(key: Key) -> bool:
    """Whether a provider's option has the name of a secret but was not declared as one."""
    return "options" in key and re.search(r"(key|secret|token|pass\w*)$", key[-1]) is not None


def _written(value: Any) -> str:
    if isinstance(value, SecretStr):
        return shown_url(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
