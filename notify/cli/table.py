"""The table of commands: the module of each, and its line in `notify --help`."""

from __future__ import annotations

from typing import NamedTuple


class ListedCommand(NamedTuple):
    """A command as `notify --help` lists it, without an import of its module."""

    module: str
    """Its module in `notify.cli`; the function in it has the name of the command."""
    line: str
    """The first sentence of its own help."""


COMMANDS = {
    "audit": ListedCommand(
        "audit", "List what operators did, the newest first: when, who, what and why."
    ),
    "breaker": ListedCommand(
        "flow.breaker", "List the providers' circuits, and open or close them by hand."
    ),
    "cancel": ListedCommand(
        "record.cancel", "Cancel a notification that waits, or all of a batch that wait."
    ),
    "cap": ListedCommand(
        "flow.cap", "List the caps and their use, and change a count in its current span."
    ),
    "config": ListedCommand("config", "Check the configuration, or show the options in effect."),
    "dead": ListedCommand("dead.command", "List dead letters; replay or discard them."),
    "demo": ListedCommand(
        "demo", "Start everything, publish sample notifications and show how each ends."
    ),
    "doctor": ListedCommand("doctor", "Check the installation, and print how to fix each fault."),
    "erase": ListedCommand("erase", "Erase the personal data of one recipient from the record."),
    "events": ListedCommand(
        "events",
        "Show changes of status: the newest on record, or with --follow all as they are published.",
    ),
    "hold": ListedCommand(
        "flow.hold", "Keep messages from being sent, on all workers within 2 seconds."
    ),
    "holds": ListedCommand(
        "flow.hold",
        "List the holds in force, and how many notifications each has set aside in the record.",
    ),
    "key": ListedCommand("key", "Make, list, replace and revoke keys of the HTTP API."),
    "keyring": ListedCommand(
        "keyring", "Create, check and rotate the keys that seal personal data in the record."
    ),
    "ledger": ListedCommand(
        "ledger", "Check that every accepted request is accounted for, exactly once."
    ),
    "limit": ListedCommand(
        "flow.limit", "List the rate limits, and change them while workers run."
    ),
    "lint": ListedCommand(
        "contract",
        "Check requests before they are published: every problem, its place, and what to do.",
    ),
    "ls": ListedCommand("record.command", "List recorded notifications, the newest first."),
    "maintenance": ListedCommand(
        "maintenance", "Do the daily work on the record: delete old rows, check the ledger."
    ),
    "migrate": ListedCommand(
        "record.command", "Migrate the record's tables to the revision that this version needs."
    ),
    "outbox": ListedCommand(
        "outbox", "Publish requests that producers wrote in transactions of their own database."
    ),
    "plan": ListedCommand(
        "plan.command", "Act on many rows at once, by a plan: make it, show it, start it, stop it."
    ),
    "receipts": ListedCommand(
        "receipts", "Accept receipts that arrive by another way than the web."
    ),
    "release": ListedCommand(
        "flow.hold",
        "Release holds, so that their messages are sent, on all workers within 2 seconds.",
    ),
    "resolve": ListedCommand(
        "record.resolve",
        "Decide on notifications whose outcome is unknown and that wait for an operator.",
    ),
    "sandbox": ListedCommand(
        "sandbox", "Answer as SendGrid, Twilio, Vonage and FCM do, without sending anything."
    ),
    "schema": ListedCommand(
        "contract", "Print the contract for producers as JSON Schema (draft 2020-12)."
    ),
    "send": ListedCommand(
        "send.command", "Publish notifications and wait until RabbitMQ has confirmed them."
    ),
    "show": ListedCommand("record.command", "Show one notification and its timeline."),
    "status": ListedCommand(
        "status.command",
        "Show the state of the service: workers, queues, providers, limits, holds, the record.",
    ),
    "suppress": ListedCommand(
        "suppress.command", "List, add and lift recipients that must not be written to."
    ),
    "template": ListedCommand("template", "List the message templates, or preview one."),
    "topology": ListedCommand("topology", "Exchanges, queues and bindings on RabbitMQ."),
    "up": ListedCommand(
        "up", "Start a broker, a record, the provider sandbox and the workers, until Ctrl-C."
    ),
    "user": ListedCommand(
        "user", "Add, list and remove the console's local users, and set their passwords."
    ),
    "web": ListedCommand("web", "Serve vendors, services and operators over HTTP."),
    "worker": ListedCommand(
        "worker", "Deliver the messages in the queues of POOL, in the foreground."
    ),
}
