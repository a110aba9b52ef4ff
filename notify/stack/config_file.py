"""The notify.toml of a stack."""

from __future__ import annotations

import json
from pathlib import Path

from notify.stack.endpoints import Endpoints

_CONFIG = """\
# Written by `notify up` each time it starts; to try other settings, copy it first.

[amqp]
url = {amqp}

[store]
url = {database}

[metrics]
ports = {ports}
{templates}{receipts}{api}{console}
# Short waits and few attempts, so that a user can watch retries.
[lanes.normal]
attempts = 3
first_wait = 0.5
longest_wait = 2
# Each message in a request of its own: a reserved recipient then decides for itself alone.
batch_size = 1

[channels.email]
providers = ["sendgrid"]

[channels.sms]
providers = ["twilio"]
# The sandbox sends no real SMS, so every country is allowed.
countries = ["*"]
lookup_after = 2

[channels.push]
providers = ["fcm"]

# The sandbox plays the vendors; the keys are dummies, in the folder "credentials".
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ base_url = {sandbox}, sender = "notify@sandbox.test" }}
secrets = {{ api_key = "SENDGRID_API_KEY" }}
{sendgrid_receipts}
[providers.twilio]
use = "providers.twilio:Twilio"
secrets = {{ account_sid = "TWILIO_ACCOUNT_SID", auth_token = "TWILIO_AUTH_TOKEN" }}

[providers.twilio.options]
base_url = {sandbox}
sender = "+15005550006"
# Its query has the notification and attempt ids, also for the sandbox's ledger.
status_callback = {callback}
{twilio_receipts}
[providers.fcm]
use = "providers.fcm:Fcm"
options = {{ base_url = {sandbox}, project = "sandbox" }}
secrets = {{ service_account = "FCM_SERVICE_ACCOUNT" }}
"""

_RECEIPTS = """
# `notify web receipts`: the sandbox posts there what a vendor would, signed.
[receipts]
public_url = {url}
listen = "127.0.0.1"
port = {port}
lookup_after = 60
"""

_API = """
# `notify web api`: `notify key new --source shop` prints a key for it.
[api]
listen = "127.0.0.1"
port = {port}
"""

_CONSOLE = """
# `notify web console`: the login is in endpoints.json.
[console]
listen = "127.0.0.1"
port = {port}
"""

_SENDGRID = """
[providers.sendgrid.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = [{key}] }}
"""

_TWILIO = """
[providers.twilio.receipts]
use = "providers.twilio:TwilioReceipts"
secrets = { auth_tokens = "TWILIO_RECEIPTS_TOKEN" }
"""

_SUBSCRIPTION = """
[categories.newsletter]
title = "Parcel Post news"
subscription = true
sender = "news@sandbox.test"
"""

_NO_SERVER = "https://notify.sandbox.test/twilio"


def config_text(endpoints: Endpoints, *, sealed: bool, templates: Path | None) -> str:
    """
    Return the text of a notify.toml for a stack.

    Args:
        endpoints: The addresses of the stack's parts.
        sealed: Whether the stack has a keyring, which unsubscribe links need.
        templates: The folder of the user's own templates, if there is one.
    """
    receipts = endpoints.receipts
    ports = ", ".join(f"{pool} = {port}" for pool, port in endpoints.metrics.items())
    blocks = {
        "templates": f"\n[templates]\nfolder = {_quoted(templates)}\n" if templates else "",
        "receipts": "",
        "api": _API.format(port=endpoints.api_port) if endpoints.api_port else "",
        "console": _CONSOLE.format(port=endpoints.console.port) if endpoints.console else "",
        "sendgrid_receipts": "",
        "twilio_receipts": "",
    }
    if receipts is not None:
        subscription = _SUBSCRIPTION if sealed else ""
        intake = _RECEIPTS.format(url=_quoted(receipts.root), port=receipts.port)
        blocks |= {
            "receipts": intake + subscription,
            "sendgrid_receipts": _SENDGRID.format(key=_quoted(receipts.sendgrid_key)),
            "twilio_receipts": _TWILIO,
        }
    return _CONFIG.format(
        amqp=_quoted(endpoints.amqp),
        database=_quoted(endpoints.database),
        sandbox=_quoted(endpoints.sandbox),
        callback=_quoted(f"{receipts.url}/twilio" if receipts else _NO_SERVER),
        ports=f"{{ {ports} }}",
        **blocks,
    )


def _quoted(value: object) -> str:
    return json.dumps(str(value))
