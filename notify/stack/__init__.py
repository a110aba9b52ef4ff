"""What `notify up` starts: a private broker beside the store, the sandbox and the worker pools."""

from notify.stack.launch import POOLS, Stack
from notify.stack.samples import SampleOutcome, load
from notify.stack.state import ENDPOINTS, folder_or_temporary
from notify.stack.trial import Trial

__all__ = ["ENDPOINTS", "POOLS", "SampleOutcome", "Stack", "Trial", "folder_or_temporary", "load"]
