"""The session's cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from notify.people import SESSION_LASTS
from notify.web.console.origins import Origins


class SessionCookie:
    """
    Reads and sets the cookie with the session's token.

    Over HTTPS it is `__Host-notify`: no other host, port or path can set it. Browsers accept that
    name with `Secure` only, and Safari no `Secure` cookie over plain HTTP, even of this machine:
    there it is `notify-PORT`, since cookies do not distinguish ports.
    """

    def __init__(self, origins: Origins) -> None:
        self._secure = origins.secure
        port = origins.public.rpartition(":")[2]
        self.name = "__Host-notify" if self._secure else f"notify-{port}"

    def token(self, request: Request) -> str | None:
        """Return the token that a request brings, None without."""
        return request.cookies.get(self.name)

    def put(self, response: Response, token: str) -> None:
        """Set the cookie for the length of a session."""
        # Lax: a link in an alert must find the session; Strict would not send it.
        response.set_cookie(
            self.name,
            token,
            max_age=int(SESSION_LASTS.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def remove(self, response: Response) -> None:
        """Delete the cookie."""
        response.delete_cookie(
            self.name, path="/", secure=self._secure, httponly=True, samesite="lax"
        )
