"""
Messages a worker must survive: those it dead-letters, and foreign ones it must deliver.

The first half reproduces messages that kill a stock Celery 5.7 worker, or that it loses: task
headers with the wrong types, bodies that are not a task, undecodable content. Each of the others
breaks our own contract in one way. `why` is a part of the reason that the log must have.
"""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

from notify.contract import Incoming

JSON = {"content_type": "application/json"}
ID = "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"
DATA = {"name": "Ann", "product": "Acme", "start_url": "https://example.com/start"}
REQUEST = {"id": ID, "to": "ann@example.com", "template": "welcome", "data": DATA}


class Malformed(NamedTuple):
    """One message that breaks the contract."""

    name: str
    body: bytes
    why: str
    """A part of the reason."""
    properties: Mapping[str, Any] = JSON
    """AMQP properties by their names in AMQP, `headers` among them."""
    routing_key: str = "email.normal.shop"
    """Each is routed to a queue that a worker consumes."""


class Foreign(NamedTuple):
    """One message that meets the contract, with foreign properties."""

    name: str
    properties: Mapping[str, Any] = JSON
    body: bytes = json.dumps(REQUEST).encode()
    routing_key: str = "email.normal.shop"


def changed(**fields: Any) -> bytes:
    """Return the good request with some fields set, and without those set to None."""
    fields = {**REQUEST, **fields}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def raw(name: str, value: bytes) -> bytes:
    """Return the good request with one field as raw JSON, which json.dumps would not write."""
    return changed(**{name: "@@"}).replace(b'"@@"', value)


def task(body: bytes, name: str, **headers: Any) -> Malformed:
    """Return a message with the headers of a Celery task and a foreign body."""
    headers = {"lang": "py", "task": "notify.deliver", "id": ID, **headers}
    headers = {key: value for key, value in headers.items() if value is not None}
    why = "must be a JSON object" if body != b'{"a":1}' else "*: unknown field"
    return Malformed(name, body, why, {**JSON, "headers": headers})


def incoming(message: Malformed | Foreign) -> Incoming:
    """Read a row as the consumer reads a message from the broker."""
    return Incoming(
        message.body,
        message.routing_key,
        content_type=message.properties.get("content_type"),
        content_encoding=message.properties.get("content_encoding"),
        message_id=message.properties.get("message_id"),
    )


_FOR_CELERY = [
    Malformed("an object that is no task", b'{"hello":"world"}', "*: unknown field"),
    Malformed("a list", b"[1,2,3]", "must be a JSON object"),
    Malformed("a number", b"5", "must be a JSON object"),
    Malformed("no content type", changed(), "no content type", {}),
    Malformed("a task that is a list", b'{"task":[1]}', "*: unknown field"),
    Malformed("a task that is an object", b'{"task":{}}', "*: unknown field"),
    Malformed("a task without id", b'{"task":"zzz"}', "*: unknown field"),
    task(b"[[],{},{}]", "an unknown task without id", task="zzz", id=None),
    task(b"[[],{},{}]", "an unknown task", task="zzz"),
    task(b"[[],{},{}]", "a task header that is a list", task=["zzz"]),
    task(b"[[],{},{}]", "our task without id", id=None),
    task(b"5", "our task with a number"),
    task(b"null", "our task with null"),
    task(b'{"a":1}', "our task with an object"),
    task(b"[1]", "our task with a short list"),
    task(b"[[],{},{}]", "a time limit of garbage", timelimit="soon"),
    task(b"[[],{},{}]", "an eta of garbage", eta="tomorrow"),
    task(b"[[],{},{}]", "an expiry of garbage", expires="never"),
    Malformed("broken JSON", b'{"to":', "not JSON"),
    Malformed(
        "broken JSON under a task header",
        b'{"to":',
        "not JSON",
        {**JSON, "headers": {"task": "notify.deliver", "id": ID}},
    ),
    Malformed(
        "CSV",
        b"to,template\nann@example.com,welcome\n",
        "content type",
        {"content_type": "text/csv"},
    ),
    Malformed(
        "a pickle",
        pickle.dumps(REQUEST),
        "content type",
        {"content_type": "application/x-python-serialize", "content_encoding": "binary"},
    ),
    Malformed("a pickle that claims to be JSON", pickle.dumps(REQUEST), "not UTF-8"),
    Malformed(
        "an unknown encoding",
        changed(),
        "content encoding",
        {**JSON, "content_encoding": "klingon"},
    ),
    Malformed(
        "an unknown compression",
        b"\x9f\x00\x01",
        "not UTF-8",
        {**JSON, "headers": {"compression": "x-foo"}},
    ),
    Malformed(
        "gzip",
        gzip.compress(changed()),
        "not UTF-8",
        {**JSON, "headers": {"compression": "application/x-gzip"}},
    ),
]

_NOT_JSON = [
    Malformed("an empty body", b"", "the body is empty"),
    Malformed("white space", b" \n\t ", "the body is empty"),
    Malformed("bad UTF-8", changed().replace(b"Ann", b"\xff\xfe"), "not UTF-8"),
    Malformed("Latin-1", changed().replace(b"Ann", "Zoë".encode("latin-1")), "not UTF-8"),
    Malformed("UTF-16", changed().decode().encode("utf-16"), "not UTF-8"),
    Malformed("a byte order mark", b"\xef\xbb\xbf" + changed(), "byte order mark"),
    Malformed("two objects", changed() + changed(), "not JSON"),
    Malformed("a raw line break in a string", raw("template", b'"wel\ncome"'), "not JSON"),
    Malformed("100,000 brackets", b"[" * 100_000, "nested deeper than 32"),
    Malformed("100,000 objects", b'{"data":' * 100_000, "nested deeper than 32"),
    Malformed(
        "nesting of 33",
        raw("data", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"),
        "nested deeper than 32",
    ),
    Malformed("NaN", raw("data", b'{"price":NaN}'), "NaN"),
    Malformed("Infinity", raw("data", b'{"price":-Infinity}'), "NaN and Infinity"),
    Malformed("a float beyond 64 bits", raw("data", b'{"price":1e999}'), "too large"),
    Malformed(
        "an integer beyond 64 bits",
        raw("data", b'{"n":18446744073709551616}'),
        "does not fit 64 bits",
    ),
    Malformed(
        "an integer of 10,000 digits",
        raw("data", b'{"n":%s}' % (b"9" * 10_000)),
        "does not fit 64 bits",
    ),
    Malformed("a key twice", changed()[:-1] + b',"to":"bo@example.com"}', "to: occurs twice"),
    Malformed("half a surrogate pair", raw("data", b'{"name":"\\ud83d"}'), "surrogate"),
    Malformed("NUL", raw("data", b'{"name":"A\\u0000"}'), "NUL"),
    Malformed("2 MB", changed(data={"name": "x" * 2_000_000}), "larger than"),
]

_WRONG_FIELDS = [
    Malformed("an unknown version", changed(v=2), "v: no such version"),
    Malformed("no id at all", changed(id=None), "id: missing"),
    Malformed("an id that is a number", changed(id=5), "id: not a UUID"),
    Malformed(
        "the nil UUID", changed(id="00000000-0000-0000-0000-000000000000"), "id: the nil UUID"
    ),
    Malformed(
        "a message id that does not print",
        changed(id=None),
        "message_id",
        {**JSON, "message_id": "a\nb"},
    ),
    Malformed("no recipient", changed(to=None), "to: required"),
    Malformed("a recipient that is a number", changed(to=5), "to: must be a string"),
    Malformed("zero recipients", changed(to=[]), "to: has no recipient"),
    Malformed(
        "1,001 recipients",
        changed(to=[f"a{n}@example.com" for n in range(1001)]),
        "more than 1000 recipients",
    ),
    Malformed(
        "a recipient twice",
        changed(to=["a@example.com", "b@example.com", "a@EXAMPLE.com"]),
        "to[2]: the same recipient as to[0]",
    ),
    Malformed(
        "one bad recipient of many",
        changed(to=["a@example.com", {"to": "b@"}]),
        "to[1].to: not an email address",
    ),
    Malformed(
        "a recipient's data that are a list",
        changed(to=[{"to": "a@example.com", "data": []}]),
        "to[0].data: must be an object",
    ),
    Malformed(
        "an address with a line break",
        changed(to="ann@example.com\r\nBcc: all@example.com"),
        "to: not an email address",
    ),
    Malformed(
        "an address with a name", changed(to="Ann <ann@example.com>"), "to: not an email address"
    ),
    Malformed("neither template nor content", changed(template=None), "template: neither"),
    Malformed(
        "template and content",
        changed(subject="Hi", text="Hello"),
        "template: set together with subject, text",
    ),
    Malformed("a subject without text", changed(template=None, subject="Hi"), "text: required"),
    Malformed(
        "a template outside its folder",
        changed(template="../../etc/passwd"),
        "template: not a template's name",
    ),
    Malformed(
        "CRLF in the subject",
        changed(template=None, subject="Hi\r\nBcc: all@example.com", text="x"),
        "subject: contains a line break",
    ),
    Malformed(
        "a Unicode line end in the subject",
        changed(template=None, subject="Hi\u2028there", text="x"),
        "subject: contains a line break",
    ),
    *(
        Malformed(
            f"a change of direction in the subject, {ord(turn):x}",
            changed(template=None, subject=f"Invoice {turn}fdp.exe", text="x"),
            "subject: contains a bidirectional override",
        )
        for turn in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    ),
    Malformed("data that are a list", changed(data=["Ann"]), "data: must be an object"),
    Malformed("a locale with underscore", changed(locale="de_DE"), "locale: not a language tag"),
    Malformed(
        "an expiry without zone",
        changed(expires_at="2099-01-01T00:00:00"),
        "expires_at: a time without a zone",
    ),
    Malformed("an expiry as a number", changed(expires_at=4070908800), "expires_at: not a time"),
    Malformed(
        "the 30th of February",
        changed(expires_at="2099-02-30T00:00:00Z"),
        "expires_at: no such time",
    ),
    Malformed("an empty key", changed(idempotency_key=""), "idempotency_key: must not be empty"),
    Malformed(
        "a key of 201 characters",
        changed(idempotency_key="k" * 201),
        "idempotency_key: longer than 200",
    ),
    Malformed(
        "metadata of numbers", changed(metadata={"order": 17}), "metadata.*: must be a string"
    ),
    Malformed(
        "21 metadata", changed(metadata={f"m{n}": "x" for n in range(21)}), "metadata: more than 20"
    ),
    Malformed(
        "an unknown field",
        changed(tempalte="welcome"),
        "*: unknown field, did you mean `template`?",
    ),
    Malformed("an unknown field that is null", changed()[:-1] + b',"x":null}', "*: unknown field"),
    Malformed("a recipient that is null", raw("to", b"null"), "to: must be a string"),
    Malformed(
        "a send time of 2099",
        changed(send_at="2099-01-01T00:00:00Z"),
        "send_at: more than 366 days ahead",
    ),
    Malformed(
        "a send time after the expiry",
        changed(send_at="2026-01-02T00:00:00Z", expires_at="2026-01-01T23:00:00Z"),
        "send_at: not before expires_at",
    ),
    Malformed(
        "a send time without zone",
        changed(send_at="2026-01-01T08:00:00"),
        "send_at: a time without a zone",
    ),
    Malformed(
        "a phone number without plus",
        changed(to="004915112345678"),
        "to: not a phone number",
        routing_key="sms.normal.shop",
    ),
    Malformed(
        "a phone number too short",
        changed(to="+49151"),
        "to: not a phone number",
        routing_key="sms.normal.shop",
    ),
    Malformed(
        "no such country",
        changed(to="+999123456789"),
        "to: no such country code",
        routing_key="sms.normal.shop",
    ),
    Malformed(
        "a device token with a space",
        changed(to="to ken"),
        "to: not a device token",
        routing_key="push.normal.shop",
    ),
    Malformed("no source", changed(), "routing key", routing_key="email.normal"),
    Malformed("a source too many", changed(), "routing key", routing_key="email.normal.shop.de"),
    Malformed(
        "a source in capitals",
        changed(),
        "the routing key has a source that is not in lower case",
        routing_key="email.normal.SHOP",
    ),
]

MALFORMED = [*_FOR_CELERY, *_NOT_JSON, *_WRONG_FIELDS]

_TASK = {"lang": "py", "task": "notify.deliver", "id": ID}

FOREIGN_BUT_FINE = [
    Foreign("the content type alone"),
    Foreign("a charset", {"content_type": "application/json; charset=utf-8"}),
    Foreign("an encoding in capitals", {**JSON, "content_encoding": "UTF-8"}),
    Foreign("an unknown task", {**JSON, "headers": {"task": "zzz", "id": ID}}),
    Foreign("an unknown task without id", {**JSON, "headers": {"task": "zzz"}}),
    Foreign("a task header that is a list", {**JSON, "headers": {"task": ["zzz"], "id": ID}}),
    Foreign("our task without id", {**JSON, "headers": {"task": "notify.deliver"}}),
    Foreign("our task", {**JSON, "headers": _TASK}),
    Foreign("a time limit of garbage", {**JSON, "headers": {**_TASK, "timelimit": "soon"}}),
    Foreign("an eta of garbage", {**JSON, "headers": {**_TASK, "eta": "tomorrow"}}),
    Foreign("an expiry of garbage", {**JSON, "headers": {**_TASK, "expires": "never"}}),
    Foreign("retries of garbage", {**JSON, "headers": {**_TASK, "retries": {"a": 1}}}),
    Foreign("an unknown compression", {**JSON, "headers": {"compression": "x-foo"}}),
    Foreign("a traceparent of garbage", {**JSON, "headers": {"traceparent": "zzz"}}),
    Foreign("a reply queue", {**JSON, "reply_to": "amq.nowhere", "correlation_id": "zzz"}),
    Foreign("a message id that is no UUID", {**JSON, "message_id": "order-17"}, changed(id=None)),
    Foreign(
        "nulls", JSON, changed()[:-1] + b',"v":null,"subject":null,"locale":null,"metadata":null}'
    ),
]
