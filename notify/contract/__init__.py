"""What producers may send: read strictly, refused with reasons, described as JSON Schema."""

from __future__ import annotations

from notify.contract.decode import decode
from notify.contract.envelope import Incoming
from notify.contract.problem import Problem
from notify.contract.request import Request

__all__ = ["Incoming", "Problem", "Request", "decode"]
