"""The contract as JSON Schema (draft 2020-12), for producers in any language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from notify.channels import CHANNELS, ChannelDefinition
from notify.message import Channel


class _Untitled(GenerateJsonSchema):
    """Omits the titles that only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's hook
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if written.get("default", ...) is None:
            del written["default"]
        return written


def schema(channel: Channel | None = None) -> dict[str, Any]:
    """
    Return the JSON Schema of the body of one channel, or of all of them.

    A schema cannot express everything: whether a number is possible in its country, whether two
    recipients are the same, how deep data may nest. `notify lint` checks all of it.
    """
    models = [each.request for each in CHANNELS.values() if channel in (None, each.channel)]
    body = TypeAdapter(reduce(or_, models)).json_schema(schema_generator=_Untitled)
    for each in CHANNELS.values():
        name = each.request.__name__
        described = body if each.channel is channel else body.get("$defs", {}).get(name)
        if described:
            described |= {**_content_rule(each), "examples": list(each.examples)}
    suffix = f":{channel}" if channel else ""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:notify:request:v1{suffix}",
        "title": f"notify request, {channel}" if channel else "notify request",
        **{name: value for name, value in body.items() if name != "title"},
    }


def _content_rule(channel: ChannelDefinition) -> dict[str, Any]:
    """Return the rule that a template excludes inline content, and that content is complete."""
    return {
        "if": _given("template"),
        "then": {"properties": {part.name: {"type": "null"} for part in channel.parts}},
        "else": {"allOf": [_any_given(names) for names in channel.complete]},
    }


def _any_given(names: Sequence[str]) -> dict[str, Any]:
    rules = [_given(name) for name in names]
    return rules[0] if len(rules) == 1 else {"anyOf": rules}


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}
