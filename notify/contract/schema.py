"""The contract as JSON Schema (draft 2020-12), for producers in any language."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from notify.contract.request import INLINE, MODELS, AnyRequest
from notify.message import Channel

_EXAMPLES: dict[Channel, list[dict[str, Any]]] = {
    Channel.EMAIL: [
        {
            "id": "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10",
            "to": "ann@example.com",
            "template": "welcome",
            "data": {"name": "Ann"},
            "locale": "en",
        },
        {
            "id": "5b0f6a7c-0a53-4b0e-8a43-7d0f1a0f2d11",
            "to": ["ann@example.com", {"to": "bo@example.com", "data": {"name": "Bo"}}],
            "template": "welcome",
            "data": {"name": "customer"},
        },
    ],
    Channel.SMS: [
        {
            "id": "a2b7d1de-58a5-4d4f-9a39-3c3f0d3b7c12",
            "to": "+4915112345678",
            "text": "Your code is 123456.",
            "expires_at": "2026-11-25T10:00:00Z",
        }
    ],
    Channel.PUSH: [
        {
            "id": "f4c1c7f0-7f0b-4a4e-8f64-0f9d8f8e3b13",
            "to": "dGhpcyBpcyBhIHRva2Vu",
            "title": "Your parcel",
            "body": "It arrives today.",
        }
    ],
}


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's hook
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if written.get("default", ...) is None:
            del written["default"]
        return written


def schema(channel: Channel | None = None) -> dict[str, Any]:
    """
    Describe the body as JSON Schema: that of one channel, or any of the three.

    The schema cannot say everything: whether a number is possible in its country, whether two
    recipients are the same, how deep data may nest. `notify lint` checks all of it.
    """
    subject: Any = MODELS[channel] if channel else AnyRequest
    body = TypeAdapter(subject).json_schema(schema_generator=_Untitled)
    for one, model in MODELS.items():
        described = body if one is channel else body.get("$defs", {}).get(model.__name__)
        if described:
            described |= {**_content_rule(one), "examples": _EXAMPLES[one]}
    suffix = f":{channel}" if channel else ""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:notify:request:v1{suffix}",
        "title": f"notify request, {channel}" if channel else "notify request",
        **{name: value for name, value in body.items() if name != "title"},
    }


def _content_rule(channel: Channel) -> dict[str, Any]:
    """Say that a template and inline content exclude each other, and what content is whole."""
    whole: dict[Channel, list[dict[str, Any]]] = {
        Channel.EMAIL: [_given("subject"), {"anyOf": [_given("text"), _given("html")]}],
        Channel.SMS: [_given("text")],
        Channel.PUSH: [_given("title"), _given("body")],
    }
    return {
        "if": _given("template"),
        "then": {"properties": {name: {"type": "null"} for name in INLINE[channel]}},
        "else": {"allOf": whole[channel]},
    }


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}
