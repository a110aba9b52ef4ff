"""Tests of a table of cases: one test for all of them, which names every case that fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import pytest

_Test = Callable[..., None]
# A table within a table raises a group.
_FAILURES = (Exception, pytest.fail.Exception, BaseExceptionGroup)


def each_of(
    names: str | Sequence[str], cases: Iterable[Any], *, ids: Callable[[Any], str] = repr
) -> Callable[[_Test], _Test]:
    """
    Run a test on each case of a table, as one test; raise a group of all failures at its end.

    A test costs pytest and xdist 4 ms, far more than a pure function. All cases share the test's
    fixtures, so these may have no state that a case changes.

    Args:
        names: The parameters that differ, as in `pytest.mark.parametrize`.
        cases: Their values; a `pytest.param` may name its case.
        ids: Returns the text of one value in the name of a case.
    """
    fields = [part.strip() for part in names.split(",")] if isinstance(names, str) else [*names]
    rows = [_values(fields, case) for case in cases]
    assert rows, "a table without a case checks nothing"

    def decorate(test: _Test) -> _Test:
        @wraps(test)
        def check(**shared: Any) -> None:
            failed: dict[str, BaseException] = {}
            for number, (name, values) in enumerate(rows):
                try:
                    test(**shared, **values)
                except _FAILURES as error:
                    case = name or ", ".join(ids(value)[:100] for value in values.values())
                    error.add_note(f"in case {number}: {case}")
                    failed[f"{number}: {case}"] = error
            if failed:
                message = f"{len(failed)} of {len(rows)} cases failed:\n" + "\n".join(failed)
                raise BaseExceptionGroup(message, list(failed.values()))

        signature = inspect.signature(test)
        rest = [each for name, each in signature.parameters.items() if name not in fields]
        assert len(rest) + len(fields) == len(signature.parameters), "a field is no parameter"
        check.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return check

    return decorate


def _values(fields: list[str], case: Any) -> tuple[str | None, dict[str, Any]]:
    """Return a case's name, if it has one, and its values by field."""
    if isinstance(case, type(pytest.param())):
        assert not case.marks, "a case of a table cannot be skipped or expected to fail"
        return str(case.id or "") or None, dict(zip(fields, case.values, strict=True))
    values = (case,) if len(fields) == 1 else tuple(case)
    return None, dict(zip(fields, values, strict=True))
