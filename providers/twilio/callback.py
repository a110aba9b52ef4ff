"""The address to which Twilio reports the later status of a message."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from notify.errors import ConfigError
from notify.message import Rendered
from providers._shared.transport import BASE_URL, is_base_url


class StatusCallback:
    """
    The status callback's address, with the notification and attempt ids in its query.

    Raises:
        ConfigError: The address is malformed.
    """

    def __init__(self, address: str) -> None:
        # Its query and fragment are the operator's.
        if not is_base_url(address.partition("#")[0].partition("?")[0]):
            raise ConfigError(f"twilio: status_callback {BASE_URL}")
        parts = urlsplit(address)
        query = f"{parts.query}&" if parts.query else ""
        # By default Twilio retries only if it could not connect; see
        # https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
        self._after = f"#{parts.fragment or 'rc=5&rp=all'}"
        self._before = urlunsplit(parts._replace(query="", fragment="")) + f"?{query}"

    def url(self, message: Rendered) -> str:
        """Return the address for one message."""
        ids = f"notify_id={message.notification_id}&attempt_id={message.attempt_id}"
        return f"{self._before}{ids}{self._after}"
