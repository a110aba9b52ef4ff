"""The headers of the console's answers."""

from __future__ import annotations

_SAME_FOR_ALL = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would send `Origin: null` with the console's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
# Mail needs inline styles. The policy's own `sandbox` holds even if the frame is opened by itself.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none';"
    " frame-ancestors 'self'; base-uri 'none'; sandbox"
)


def page_headers(*, secure: bool) -> dict[str, str]:
    """Return the headers of a page; *secure* over HTTPS."""
    headers = _SAME_FOR_ALL | {
        "Content-Security-Policy": _PAGE_POLICY,
        "X-Frame-Options": "DENY",
        "Vary": "Cookie",
    }
    return headers | _transport(secure=secure)


def frame_headers(*, secure: bool) -> dict[str, str]:
    """Return the headers of hostile HTML in a frame of a page."""
    headers = _SAME_FOR_ALL | {
        "Content-Security-Policy": _FRAME_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
    }
    return headers | _transport(secure=secure)


def _transport(*, secure: bool) -> dict[str, str]:
    return {"Strict-Transport-Security": "max-age=31536000"} if secure else {}
