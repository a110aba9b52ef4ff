"""The OpenAPI 3.1 description, generated from the operations and their pydantic models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from notify import __version__
from notify.contract import feedback_schema, schema
from notify.message import Channel
from notify.web.api.models import EventsView, ProblemView
from notify.web.api.operation import JSON, LINES, Operation
from notify.web.api.problems import MEDIA_TYPE, TITLES

_REF = "#/components/schemas/{model}"
_ALWAYS = ("unauthorized", "forbidden", "limited", "unavailable")
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TYPES = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "": {"type": "string", "pattern": "^[^/]+$"},
}


def request_schema(channel: Channel, lanes: Sequence[str]) -> dict[str, Any]:
    """Return the contract's schema of a channel's request, with `channel` and `lane` in it."""
    described = _hoisted(schema(channel), prefix=str(channel).title())
    properties = {name: value for name, value in described["properties"].items() if name != "batch"}
    own = {
        "channel": {"const": str(channel), "description": "The channel."},
        "lane": {"enum": list(lanes), "description": "How urgent it is."},
    }
    required = ["channel", "lane", *described.get("required", [])]
    examples = [
        {"channel": str(channel), "lane": lanes[0], **each} for each in described["examples"]
    ]
    return {
        **described,
        "title": f"Notification by {channel}",
        "properties": {**own, **properties},
        "required": required,
        "examples": examples,
    }


def feedback_body() -> dict[str, Any]:
    """Return the contract's schema of feedback."""
    return _hoisted(feedback_schema(), prefix="Feedback")


def openapi(operations: Sequence[Operation], lanes: Sequence[str]) -> dict[str, Any]:
    """Return the whole description."""
    components = _Components()
    for channel in Channel:
        components.add(_name(channel), request_schema(channel, lanes))
    components.add("Notification", {"oneOf": [_ref(_name(each)) for each in Channel]})
    components.add("Feedback", feedback_body())
    paths: dict[str, dict[str, Any]] = {}
    models = components.references(_models(operations))
    for operation in operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        described = _operation(operation, models)
        paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "notify",
            "version": __version__,
            "summary": "Send email, SMS and push notifications, and follow them.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `notify key new`.",
                }
            },
        },
    }


class _Components:
    """The schemas of the description, by name."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}

    def add(self, name: str, described: Mapping[str, Any]) -> None:
        """Add a schema; its own definitions join the others."""
        rest = dict(described)
        self.schemas.update(rest.pop("$defs", {}))
        self.schemas[name] = rest

    def references(
        self, models: Sequence[tuple[type[BaseModel], str]]
    ) -> Mapping[type[BaseModel], Any]:
        """Add models; return a reference to each."""
        modes: Any = models
        found, definitions = models_json_schema(modes, ref_template=_REF)
        self.schemas.update(definitions.get("$defs", {}))
        return {model: found[model, mode] for model, mode in modes}


def _models(operations: Sequence[Operation]) -> list[tuple[type[BaseModel], str]]:
    found: dict[type[BaseModel], str] = {ProblemView: "serialization", EventsView: "serialization"}
    for operation in operations:
        for model in operation.models():
            found[model] = "serialization"
        if isinstance(operation.body, type):
            found[operation.body] = "validation"
    return list(found.items())


def _operation(operation: Operation, models: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.description}\n\nNeeds the scope `{operation.scope}`.".strip(),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": dict(_responses(operation, models)),
    }
    if operation.body is not None:
        described["requestBody"] = _body(operation, models)
    return described


def _path_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, kind in _PARAMETER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": _TYPES[kind]}


def _query_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if operation.lines:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Sent once for each key, of one notification.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        }
    described = operation.query.model_json_schema(ref_template="#/$defs/{model}")
    definitions = described.get("$defs", {})
    for name, each in described.get("properties", {}).items():
        plain = _inlined(each, definitions)
        text = plain.pop("description", "")
        plain.pop("title", None)
        yield {
            "name": name,
            "in": "query",
            "required": False,
            "description": text,
            "schema": _not_null(plain),
        }


def _responses(
    operation: Operation, models: Mapping[type[BaseModel], Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation.answers.items():
        content: dict[str, Any] = {}
        if answer is not None:
            kinds = answer if isinstance(answer, tuple) else (answer,)
            chosen = [models[each] for each in kinds]
            content[JSON] = {"schema": chosen[0] if len(chosen) == 1 else {"anyOf": chosen}}
        if operation.streams:
            content["text/event-stream"] = {"schema": {"type": "string"}}
        yield str(status), {"description": "Done.", **({"content": content} if content else {})}
    by_status: dict[int, list[str]] = {}
    for kind in (*_ALWAYS, *operation.kinds()):
        by_status.setdefault(TITLES[kind][0], []).append(TITLES[kind][1])
    problem = {"content": {MEDIA_TYPE: {"schema": models[ProblemView]}}}
    for status, titles in sorted(by_status.items()):
        yield str(status), {"description": f"{'; or: '.join(dict.fromkeys(titles))}.", **problem}


def _body(operation: Operation, models: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    if isinstance(operation.body, type):
        described = models[operation.body]
    else:
        described = dict(operation.body or {})
    content = {JSON: {"schema": described}}
    if operation.lines:
        one = _ref("Notification")
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": 1000}
        content = {JSON: {"schema": {"anyOf": [one, many]}}}
        content |= {each: {"schema": {"type": "string"}} for each in LINES}
    return {"required": True, "content": content}


def _name(channel: Channel) -> str:
    return f"Notification{str(channel).title()}"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _hoisted(described: Mapping[str, Any], *, prefix: str) -> dict[str, Any]:
    """Return a schema whose definitions have names of their own among the components."""
    plain = {name: value for name, value in described.items() if name not in ("$schema", "$id")}

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            name: _REF.format(model=f"{prefix}{each.rpartition('/')[2]}")
            if name == "$ref"
            else renamed(each)
            for name, each in value.items()
        }

    found: dict[str, Any] = renamed(plain)
    definitions = found.pop("$defs", {})
    if definitions:
        found["$defs"] = {f"{prefix}{name}": value for name, value in definitions.items()}
    return found


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with its references replaced: a parameter is read without components."""
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        rest = {name: each for name, each in value.items() if name != "$ref"}
        return {**_inlined(definitions[value["$ref"].rpartition("/")[2]], definitions), **rest}
    return {name: _inlined(each, definitions) for name, each in value.items()}


def _not_null(described: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is absent instead of null."""
    kinds = [each for each in described.get("anyOf", []) if each != {"type": "null"}]
    rest = {
        name: value for name, value in described.items() if name != "anyOf" and value is not None
    }
    if len(kinds) == 1:
        return {**kinds[0], **rest}
    return {**rest, "anyOf": kinds} if kinds else rest
