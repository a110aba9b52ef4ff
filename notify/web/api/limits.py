"""The rate limit of a key in the header fields of an answer (draft-ietf-httpapi-ratelimit)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from notify.apikeys import LIMIT, KeyAllowance
from notify.web.api.problems import ApiProblem


def rate_headers(allowance: KeyAllowance) -> Mapping[str, str]:
    """Return the fields `RateLimit-Policy` and `RateLimit`, in units of notifications."""
    most, window = allowance.most, allowance.window
    reset = math.ceil(window * (1 - allowance.left / most))
    return {
        "RateLimit-Policy": f'"{LIMIT}";q={most};w={window}',
        "RateLimit": f'"{LIMIT}";r={allowance.left};t={reset}',
    }


def used_up(allowance: KeyAllowance, units: int = 1) -> ApiProblem:
    """Return the problem of a key that has used its limit; or that never has so many units."""
    if units > allowance.most:
        text = (
            f"this key may send at most {allowance.most} notifications at once: split the request"
        )
        return ApiProblem("too-large", text, headers=rate_headers(allowance))
    seconds = math.ceil(allowance.wait)
    return ApiProblem(
        "limited",
        f"this key may send {allowance.most} notifications in {allowance.window} s",
        headers={**rate_headers(allowance), "Retry-After": str(seconds)},
    )
