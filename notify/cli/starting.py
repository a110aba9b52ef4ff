"""Import the modules of a command in less time, and with less memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """
    Import within this context without the garbage collector; later collections skip these modules.

    Modules are never garbage, and their thousands of classes and functions are otherwise examined
    several times: an eighth of the time of a start.
    """
    gc.disable()
    try:
        _import_structlog()
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import_structlog() -> None:
    """Import structlog without rich and pygments: 12 MB in each worker for tracebacks it hides."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment] # an import of it then fails
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
