"""The description as a page for people. It loads nothing from another host, and has no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup, escape

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of the page."""

STYLE = """\
:root { color-scheme: light dark; --line: #d0d4da; --soft: #f4f5f7; --accent: #0b5fff; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3f47; --soft: #1d2026; --accent: #7aa7ff; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
a { color: var(--accent); }
h2 { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1.5rem; }
h3 { margin-bottom: 0.25rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem;
  overflow-x: auto; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: 0.35rem 0.75rem 0.35rem 0;
  text-align: left; vertical-align: top; }
.text { white-space: pre-line; }
"""
"""The style sheet of the page."""

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ api.info.title }} API {{ api.info.version }}</title>
<link rel="stylesheet" href="docs.css">
<h1>{{ api.info.title }} API {{ api.info.version }}</h1>
<p>{{ api.info.summary }} The same as <a href="openapi.json">OpenAPI 3.1</a>.</p>
<p>Send <code>Authorization: Bearer KEY</code> with each request; operators make a key with
<code>notify key new</code>.</p>
<nav aria-label="Operations"><ul>
{%- for each in operations %}
<li><a href="#{{ each.operationId }}"><code>{{ each.method }} {{ each.path }}</code></a>
{{ each.summary }}</li>
{%- endfor %}
</ul></nav>
<main>
{%- for each in operations %}
<section>
<h2 id="{{ each.operationId }}">{{ each.summary }}</h2>
<p><code>{{ each.method }} {{ each.path }}</code></p>
<p class="text">{{ marked(each.description) }}</p>
{%- if each.parameters %}
<h3>Parameters</h3>
<table><tr><th>name<th>in<th>type<th>meaning</tr>
{%- for one in each.parameters %}
<tr><td><code>{{ one.name }}</code><td>{{ one.in }}<td>{{ kind(one.schema) }}
<td>{{ marked(one.description) }}</tr>
{%- endfor %}
</table>
{%- endif %}
{%- if each.body %}
<h3>Body</h3>
<p>{{ kind(each.body) }}</p>
{%- endif %}
<h3>Answers</h3>
<table><tr><th>status<th>meaning<th>document</tr>
{%- for status, one in each.responses.items() %}
<tr><td>{{ status }}<td>{{ marked(one.description) }}
<td>{% for media, content in (one.content or {}).items() %}{{ kind(content.schema) }}
<small>{{ media }}</small> {% endfor %}</tr>
{%- endfor %}
</table>
</section>
{%- endfor %}
<h2 id="documents">Documents</h2>
{%- for name, one in api.components.schemas.items() %}
<section>
<h3 id="{{ name }}">{{ name }}</h3>
<p class="text">{{ marked(one.description) }}</p>
{%- if one.properties %}
<table><tr><th>field<th>type<th>meaning</tr>
{%- for field, value in one.properties.items() %}
<tr><td><code>{{ field }}</code>{% if field in (one.required or []) %} required{% endif %}
<td>{{ kind(value) }}<td>{{ marked(value.description) }}</tr>
{%- endfor %}
</table>
{%- else %}
<p>{{ kind(one) }}</p>
{%- endif %}
{%- if one.examples %}
<pre>{{ one.examples[0] | tojson(indent=2) }}</pre>
{%- endif %}
</section>
{%- endfor %}
</main>
</html>
"""


def docs_page(api: Mapping[str, Any]) -> str:
    """Return the page of a description."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined)
    template = environment.from_string(_PAGE)
    return template.render(api=api, operations=_operations(api), kind=_kind, marked=_marked)


def _operations(api: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [
        {
            **operation,
            "method": method.upper(),
            "path": path,
            "body": next(
                (each["schema"] for each in _content(operation).values()),
                None,
            ),
        }
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]


def _content(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
    return content


def _kind(schema: Any) -> Markup | str:
    """Return the type of a schema in words, with links to documents."""
    if not isinstance(schema, Mapping):
        return ""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return Markup(" or ").join(_kind(each) for each in schema[several])
    if "const" in schema:
        return _marked(f"`{schema['const']}`")
    if "enum" in schema:
        return _marked(", ".join(f"`{each}`" for each in schema["enum"]))
    if schema.get("type") == "array":
        return Markup("array of {}").format(_kind(schema.get("items", {})))
    return " ".join(str(schema[each]) for each in ("type", "format") if each in schema)


def _marked(text: object) -> Markup:
    """Return a text with the words between backticks as code."""
    parts = str(text or "").split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
