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

    @property
    def _state_name(self) -> str:
        return f"{self.name}-oidc"

    def state(self, request: Request) -> str | None:
        """Return the state of a single sign-on in progress, None without."""
        return request.cookies.get(self._state_name)

    def put_state(self, response: Response, state: str, *, seconds: int) -> None:
        """Bind a single sign-on to the browser."""
        self._set(response, self._state_name, state, seconds)

    def remove_state(self, response: Response) -> None:
        """Delete the state of a single sign-on."""
        self._delete(response, self._state_name)

    def token(self, request: Request) -> str | None:
        """Return the token that a request brings, None without."""
        return request.cookies.get(self.name)

    def put(self, response: Response, token: str) -> None:
        """Set the cookie for the length of a session."""
        self._set(response, self.name, token, int(SESSION_LASTS.total_seconds()))

    def remove(self, response: Response) -> None:
        """Delete the cookie."""
        self._delete(response, self.name)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        # Lax: a link in an alert must find the session; Strict would not send it.
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
