"""The terms of a drill, and the configuration of its workers."""

from __future__ import annotations

from dataclasses import dataclass

CONCURRENCY = 16
"""The most calls that a worker may have in flight."""
CONFIG = """
[amqp]
url = "{broker_url}"
heartbeat = 4
[store]
url = "{store_url}"
[lanes.normal]
attempts = {attempts}
batch_size = {batch_size}
first_wait = 0.2
longest_wait = 2
[pools.email]
channel = "email"
concurrency = {concurrency}
[pools.sms]
channel = "sms"
concurrency = {concurrency}
[channels.email]
providers = [{email}]
[channels.sms]
providers = ["twilio"]
countries = ["*"]
lookup_after = 2
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox_url}", timeout = {timeout} }}
secrets = {{ api_key = "SENDGRID_KEY" }}
[providers.sendgrid.breaker]
minimum_calls = {judged_calls}
[providers.twilio]
use = "providers.twilio:Twilio"
secrets = {{ account_sid = "TWILIO_SID", auth_token = "TWILIO_TOKEN" }}
[providers.twilio.options]
sender = "+15005550006"
base_url = "{sandbox_url}"
status_callback = "https://example.com/receipts"
timeout = {timeout}
[providers.twilio.breaker]
minimum_calls = {judged_calls}
"""
RELAY = """
[providers.relay]
use = "providers.smtp:Smtp"
secrets = {{ bounce_key = "BOUNCE_KEY" }}
[providers.relay.options]
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "a@example.com"
return_path = "bounces@bounces.example.com"
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms of a drill.

    Attributes:
        on_sqlite: Whether the record is a SQLite file, not a PostgreSQL database.
        lease: Seconds until a dead worker's calls count as lost.
        attempts: The most attempts of a notification.
        rate: Messages a second.
        minimum: The least number of messages.
        judged_calls: The calls that a circuit needs to open.
        timeout: Seconds that a vendor has to answer.
        batch_size: The most emails in one request.
        relayed: Whether an SMTP relay is the second provider of email.
        clustered: Whether the broker is a cluster of three nodes behind a balancer.
    """

    on_sqlite: bool = False
    lease: float = 6.0
    attempts: int = 100
    rate: int = 100
    minimum: int = 2000
    judged_calls: int = 20
    timeout: int = 2
    batch_size: int = 1
    relayed: bool = False
    clustered: bool = False

    def config(
        self, *, broker_url: str, store_url: str, sandbox_url: str, relay_port: int | None = None
    ) -> str:
        """Write the configuration of all workers."""
        relay = RELAY.format(port=relay_port) if relay_port is not None else ""
        return relay + CONFIG.format(
            email='"sendgrid", "relay"' if relay else '"sendgrid"',
            broker_url=broker_url,
            store_url=store_url,
            sandbox_url=sandbox_url,
            concurrency=CONCURRENCY,
            attempts=self.attempts,
            batch_size=self.batch_size,
            judged_calls=self.judged_calls,
            timeout=self.timeout,
        )
