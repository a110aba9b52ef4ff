"""`notify web receipts` as a process, with keys of SendGrid and Twilio, and its visible results."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3

from notify.contract import ReceiptMessage, read_receipts
from notify.receipt import Posted
from notify.stack.rabbitmq import free_ports
from notify.store.relays import count_inbox
from notify.topology import RECEIPTS
from tests.support.forked import Forked
from tests.support.patience import PATIENCE, connect
from tests.support.rig import Rig, until
from tests.support.signing import SendGridSigner, twilio_posted

PUBLIC = "https://notify.example.com"
TOKEN = "t0ken"

CONFIG = """
[receipts]
public_url = "{public}"
port = {port}
[providers.sendgrid.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = ["{key}"] }}
[providers.twilio]
use = "providers.twilio:Twilio"
options = {{ account_sid = "AC1", sender = "+15005550006" }}
secrets = {{ auth_token = "TWILIO_API_SECRET" }}
[providers.twilio.receipts]
use = "providers.twilio:TwilioReceipts"
secrets = {{ auth_tokens = "TWILIO_AUTH_TOKENS" }}
"""


@dataclass(frozen=True)
class WebRig:
    """The intake's process, and what it leaves on the broker and on record."""

    rig: Rig
    signer: SendGridSigner
    port: int
    metrics_port: int
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rig: Rig, **environ: str) -> WebRig:
        """Add receipts to a rig's configuration."""
        signer, (port, metrics_port) = SendGridSigner(), free_ports(2)
        text = rig.config.read_text()
        metrics = f"[metrics]\nports = {{ web = {metrics_port}, email = 0, receipts = 0 }}"
        text = text.replace("[metrics]\nenabled = false", metrics)
        text += CONFIG.format(public=PUBLIC, port=port, key=signer.public_key)
        rig.config.write_text(text)
        return cls(rig, signer, port, metrics_port, environ)

    @property
    def url(self) -> str:
        """The address without TLS, behind the reverse proxy."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Forked:
        """Start the process, and wait until it accepts requests."""
        ready = self.rig.folder / "web.ready"
        ready.unlink(missing_ok=True)
        # Of the secrets, only those that verify.
        environ = {"KEY": "", "TWILIO_AUTH_TOKENS": TOKEN, **self.environ}
        process = self.rig.command("web", "receipts", "--ready-file", ready, **environ)
        until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, process.err()
        return process

    @contextmanager
    def running(self) -> Iterator[Forked]:
        """Run the process; it must exit with 0 when it is stopped, unless it was killed."""
        process = self.start()
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(PATIENCE)
        assert code in (0, -signal.SIGKILL), process.err()

    def post(self, posted: Posted, provider: str = "sendgrid") -> int:
        """Post a request, and return the status of the answer."""
        query = f"?{posted.query}" if posted.query else ""
        # httpx would load the machine's certificates at each request.
        answer = urllib3.request(
            "POST",
            f"{self.url}/receipts/{provider}{query}",
            body=posted.body,
            headers=dict(posted.headers),
            timeout=PATIENCE,
            retries=False,
        )
        return answer.status

    def sendgrid(self, *events: Any) -> Posted:
        """Return a signed request of SendGrid."""
        return self.signer.posted(list(events))

    def twilio(self, query: str = "", **fields: str) -> Posted:
        """Return a signed request of Twilio, for the public address."""
        form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+15005550009", **fields}
        return twilio_posted(f"{PUBLIC}/receipts/twilio", form, TOKEN, query=query)

    def published(self) -> list[ReceiptMessage]:
        """Remove and return the messages of the receipts' queue, in order."""
        found = []
        with connect(self.rig.broker_url) as connection:
            channel = connection.channel()
            while (message := channel.basic_get(RECEIPTS, no_ack=True)) is not None:
                found.append(read_receipts(bytes(message.body)))
        return found

    def stored(self) -> list[ReceiptMessage]:
        """
        Remove and return the messages of the queue, once the inbox is empty.

        A message that RabbitMQ confirms too late, on a slow machine, is there twice.
        """
        until(lambda: self.inbox() == 0)
        return self.published()

    def inbox(self) -> int:
        """Count the messages in the inbox."""
        with self.rig.store.reading() as connection:
            return count_inbox(connection)

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a page."""
        answer = urllib3.request("GET", f"{self.url}{path}", retries=False)
        return answer.status, answer.data.decode()

    def probed(self, path: str) -> str:
        """Return the text of a page of the port of metrics and probes."""
        url = f"http://127.0.0.1:{self.metrics_port}{path}"
        return urllib3.request("GET", url, retries=False).data.decode()

    def metrics(self) -> str:
        """Return the process's metrics."""
        return self.probed("/metrics")


def delivered(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an event of SendGrid."""
    return {
        "email": "canary@example.com",
        "timestamp": 1764450000,
        "event": "delivered",
        "sg_event_id": f"e{number}",
        "sg_message_id": f"m{number}.recvd",
        **fields,
    }
