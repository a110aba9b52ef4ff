"""Find a provider's class by its name, or the one that was probably meant."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from notify.errors import ConfigError
from notify.message import Channel
from notify.settings.checks.finding import suggestion

# Errors of a module's own code: a missing variable or file, a failed check, an exit.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    SystemExit,
    TypeError,
    ValueError,
)


def named_class(use: str) -> Any:
    """
    Return the class that a provider's option `use` names, as module:Class.

    Raises:
        ConfigError: There is no such module or class, or the module is broken; with a hint.
    """
    place, _, name = use.partition(":")
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ConfigError(_not_found(place, error)) from None
    except _FAULTS as error:
        # Only the error's type is reported: its text may quote a secret that the module reads.
        text = f"cannot be imported: its module raises {type(error).__name__}; correct the module"
        raise ConfigError(text) from None
    found = getattr(module, name, None)
    if found is None:
        known = _providers(module)
        hint = suggestion(name, known) if known else "correct the name"
        raise ConfigError(f"the module has no such class; {hint}")
    return found


def _not_found(place: str, error: ModuleNotFoundError) -> str:
    if not error.name:
        return f"cannot be imported: {type(error).__name__}; install it, or correct the name"
    near = _near(error.name) if f"{place}.".startswith(f"{error.name}.") else None
    hint = f"did you mean {near}?" if near else "install it, or correct the name"
    return f"cannot be imported: no module {error.name}; {hint}"


def _near(name: str) -> str | None:
    """Return the existing module with nearly the name of a missing one."""
    package, _, last = name.rpartition(".")
    # A module that is not a package has no path and no modules in it.
    path = getattr(importlib.import_module(package), "__path__", []) if package else None
    known = [each.name for each in pkgutil.iter_modules(path) if not each.name.startswith("_")]
    near = difflib.get_close_matches(last, known, n=1, cutoff=0.75)
    return f"{package}.{near[0]}".lstrip(".") if near else None


def _providers(module: ModuleType) -> list[str]:
    classes = inspect.getmembers(module, inspect.isclass)
    return [name for name, each in classes if getattr(each, "channel", None) in list(Channel)]
