"""What producers may send: read strictly, refused with reasons, described as JSON Schema."""

from __future__ import annotations

from notify.contract.decode import decode
from notify.contract.envelope import Incoming
from notify.contract.lint import likely_channel, problems
from notify.contract.problem import Problem
from notify.contract.request import Request
from notify.contract.schema import schema

__all__ = ["Incoming", "Problem", "Request", "decode", "likely_channel", "problems", "schema"]
