"""The configuration of a scene: the defaults, and the scene's own options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from notify.message import Channel

FIRST, SECOND, SMS, PUSH = "first", "second", "sms", "push"
"""Names of providers; to the sandbox, of accounts."""

_SENDGRID = """
use = "providers.sendgrid:SendGrid"
options = {{ base_url = "{base_url}", sender = "a@example.com" }}
secrets = {{ api_key = "SENDGRID_API_KEY" }}
"""
_TWILIO = """
use = "providers.twilio:Twilio"
secrets = {{ account_sid = "TWILIO_ACCOUNT_SID", auth_token = "TWILIO_AUTH_TOKEN" }}
[providers.{name}.options]
base_url = "{base_url}"
sender = "+15005550006"
status_callback = "https://example.com/receipts"
"""
_FCM = """
use = "providers.fcm:Fcm"
options = {{ base_url = "{base_url}", project = "sandbox" }}
secrets = {{ service_account = "FCM_SERVICE_ACCOUNT" }}
"""
_KINDS = {
    FIRST: (Channel.EMAIL, _SENDGRID),
    SECOND: (Channel.EMAIL, _SENDGRID),
    SMS: (Channel.SMS, _TWILIO),
    PUSH: (Channel.PUSH, _FCM),
}
_HEAD = """
[amqp]
url = "{broker}"
[store]
url = "{store}"
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms of a scene.

    Attributes:
        providers: By name, in the order of their channel.
        rates: By provider, its limit in units a second; others have none.
        breaker: Options of every provider's circuit that differ from the defaults.
        on_sqlite: Whether the record is a SQLite file, not a PostgreSQL database.
        latency: Seconds until the provider answers.
    """

    providers: Sequence[str] = (FIRST,)
    rates: Mapping[str, float] = field(default_factory=dict)
    breaker: Mapping[str, float] = field(default_factory=dict)
    on_sqlite: bool = False
    latency: float = 0.05

    @property
    def channels(self) -> list[Channel]:
        """The channels of the providers; each has its own vendors."""
        return list(dict.fromkeys(_KINDS[name][0] for name in self.providers))


def config(terms: Terms, *, broker: str, store: str, sandboxes: Mapping[Channel, str]) -> str:
    """Write the configuration that all processes of a scene read."""
    parts = [_HEAD.format(broker=broker, store=store)]
    for channel in Channel:
        names = [name for name in terms.providers if _KINDS[name][0] is channel]
        if names:
            parts.append(f"[channels.{channel}]\nproviders = {names}\n")
            parts.append('countries = ["*"]\n' if channel is Channel.SMS else "")
            parts += [_provider(terms, name, f"{sandboxes[channel]}/{name}") for name in names]
    return "".join(parts)


def _provider(terms: Terms, name: str, base_url: str) -> str:
    _, kind = _KINDS[name]
    rate = f"rate = {terms.rates[name]}\n" if name in terms.rates else ""
    breaker = "".join(f"{option} = {value}\n" for option, value in terms.breaker.items())
    options = kind.format(name=name, base_url=base_url)
    return f"[providers.{name}]\n{rate}{options.lstrip()}[providers.{name}.breaker]\n{breaker}"
