"""
The processes that `notify up` and `notify demo` start: broker, sandbox and worker pools.

For one machine, and never for production. Not here: the commands themselves (`cli`).
"""

from notify.stack.launch import POOLS, Stack
from notify.stack.samples import SampleOutcome, load
from notify.stack.state import ENDPOINTS, folder_or_temporary
from notify.stack.trial import Trial

__all__ = ["ENDPOINTS", "POOLS", "SampleOutcome", "Stack", "Trial", "folder_or_temporary", "load"]
