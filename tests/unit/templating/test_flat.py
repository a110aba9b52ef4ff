"""A template as one file: its output is that of the template as written, or it stays as written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.channels import CHANNELS
from notify.errors import TemplateError
from notify.templating import Templates
from notify.templating.dialect import TemplateSandbox
from notify.templating.flat import MOST_FILES, flattened
from notify.templating.writing import ERRORS, CompiledPart, write
from tests.support.examples import examples
from tests.support.tables import each_of

LAYOUT = "<{% block a %}A{% endblock %}|{{ x }}|{% block b %}B{{ x }}{% endblock %}>"


def sandbox(files: dict[str, str]) -> TemplateSandbox:
    """A sandbox with these files."""
    return TemplateSandbox(jinja2.DictLoader(files))


def outputs(
    files: dict[str, str], data: dict[str, Any], path: str = "t.j2"
) -> tuple[str, str | None]:
    """The output of a template as written, and that of the flat one, or None if there is none."""
    made = sandbox(files)
    flat = flattened(made, path)
    written = write(made.get_template(path), made.values(data, locale="en"))
    if flat is None:
        return written, None
    return written, "".join(flat.chunks(made.values(data, locale="en")))


EXTENDS = '{% extends "l.j2" %}'
INCLUDE = '{% include "i.j2" %}'
UNUSED = f"{{% if not x %}}{INCLUDE}{{% endif %}}{{{{ x }}}}"


@each_of(
    ("output", "files"),
    [
        ("1 2", {"t.j2": "{{ x }} {{ y }}"}),
        ("<A|1|B1>", {"t.j2": EXTENDS, "l.j2": LAYOUT}),
        ("<A|1|2>", {"t.j2": EXTENDS + "{% block b %}{{ y }}{% endblock %}", "l.j2": LAYOUT}),
        ("<A|9|B9>", {"t.j2": EXTENDS + "{% set x = 9 %}lost{{ nothing }}", "l.j2": LAYOUT}),
        ("kept<A|1|B1>", {"t.j2": f"kept{EXTENDS}lost", "l.j2": LAYOUT}),
        (
            "<T|3|M4>",
            {
                "t.j2": '{% extends "m.j2" %}{% block a %}T{% endblock %}',
                "m.j2": "{% set x = 3 %}" + EXTENDS + "{% block a %}M{% endblock %}"
                "{% block b %}M{% set x = 4 %}{{ x }}{% endblock %}{% block c %}{% endblock %}",
                "l.j2": LAYOUT,
            },
        ),
        (
            "565",
            {
                "t.j2": "{% set x = 5 %}" + INCLUDE + "{{ x }}",
                "i.j2": "{{ x }}{% set x = 6 %}{{ x }}",
            },
        ),
        (
            "71 1- ",
            {
                "t.j2": "{% with x = 7, z = x %}" + INCLUDE + "{% endwith %}" + INCLUDE,
                "i.j2": "{{ x }}{{ z|default('-') }} ",
            },
        ),
        (
            "1a,1b,1",
            {
                "t.j2": "{% for x in xs %}" + INCLUDE + "{% else %}none{% endfor %}{{ x }}",
                "i.j2": "{% for y in [x] %}{{ loop.index }}{{ y }}{% endfor %},",
            },
        ),
        (
            "<2|1|B1>",
            {
                "t.j2": "{% if x == 2 %}{% elif y == 2 %}" + INCLUDE + "{% else %}{% endif %}",
                "i.j2": EXTENDS + "{% block a %}{{ y }}{% endblock %}",
                "l.j2": LAYOUT,
            },
        ),
        (
            "1",
            {
                "t.j2": "{% if q is defined %}{% set x = 0 %}{% endif %}"
                "{% block n %}{{ x }}{% endblock %}"
            },
        ),
    ],
)
def test_a_flat_template_has_the_same_output(output: str, files: dict[str, str]) -> None:
    """Names have the values that they have in the files as written."""
    data = {"x": 1, "y": 2, "xs": ["a", "b"]}
    assert outputs(files, data) == (output, output)


@pytest.mark.parametrize(
    "files",
    [
        {"t.j2": INCLUDE + "{% set x = 2 %}", "i.j2": "{{ x }}"},
        {"t.j2": "{% block n %}{{ x }}{% endblock %}{% set x = 2 %}"},
        {"t.j2": EXTENDS + "{% block a %}{{ super() }}{% endblock %}", "l.j2": LAYOUT},
        {"t.j2": "{% for x in xs %}{% block n %}{{ y }}{% endblock %}{% endfor %}"},
        {"t.j2": "{% for x in xs %}{% block n scoped %}{{ x }}{% endblock %}{% endfor %}"},
        {"t.j2": "{% block n scoped %}{{ x }}{% endblock %}"},
        {"t.j2": "{% for x in xs %}" + INCLUDE + "{% endfor %}", "i.j2": "{{ loop|default(3) }}"},
        {"t.j2": '{% include "none.j2" ignore missing %}{{ x }}'},
        {
            "t.j2": '{% with locale = "de" %}' + INCLUDE + "{% endwith %}",
            "i.j2": '{{ 123456|money("EUR") }}',
        },
        {"t.j2": "{% if x %}" + EXTENDS + "{% endif %}{{ y }}", "l.j2": LAYOUT},
        {"t.j2": EXTENDS + "{% if x %}{% set x = 3 %}{% endif %}", "l.j2": LAYOUT},
        {"t.j2": EXTENDS + INCLUDE, "l.j2": LAYOUT, "i.j2": "early"},
        {"t.j2": UNUSED.replace("i.j2", "t.j2")},
        {"t.j2": INCLUDE * MOST_FILES, "i.j2": "{{ x }}"},
        {"t.j2": UNUSED},
        {"t.j2": UNUSED, "i.j2": "{{ x.y() }}"},
        {"t.j2": UNUSED, "i.j2": '{% include "i.html.j2" %}', "i.html.j2": ""},
    ],
    ids=[
        "set-after-an-included-file",
        "set-after-a-block",
        "super",
        "block-in-a-loop",
        "scoped-block-in-a-loop",
        "scoped-block",
        "loop-of-another-file",
        "ignore-missing",
        "locale-set",
        "extends-in-a-condition",
        "condition-beside-blocks",
        "included-beside-blocks",
        "of-itself",
        "too-many-files",
        "no-such-file",
        "included-mistake",
        "included-html-in-text",
    ],
)
def test_a_template_that_could_differ_stays_as_written(files: dict[str, str]) -> None:
    """It is rendered by Jinja's own rules, at their cost."""
    written, flat = outputs(files, {"x": 1, "y": 2, "xs": ["a", "b"]})
    assert written
    assert flat is None


def test_a_required_block_that_is_missing_is_reported_with_its_place() -> None:
    """The flat template is not made, so the message names the file and line."""
    files = {"t.j2": '{% extends "l.j2" %}', "l.j2": "\n{% block a required %}{% endblock %}"}
    with pytest.raises(TemplateError, match=r"'a' is missing, which l\.j2, line 2 requires"):
        outputs(files, {})
    assert flattened(sandbox(files), "t.j2") is None


def test_a_mistake_in_the_data_names_the_file_and_line_and_costs_no_iteration() -> None:
    """The message is rendered again as written, with the loops' full budget."""
    files = {
        "t.j2": '{% include "i.j2" %}',
        "i.j2": "{% for n in range(600) %}{% for m in range(100) %}{% endfor %}{% endfor %}"
        "\n{{ a }}",
    }
    made = sandbox(files)
    part = CompiledPart(made.get_template("t.j2"), flattened(made, "t.j2"))
    assert part.flat is not None
    with pytest.raises(TemplateError, match=r"^i\.j2, line 2: missing data: 'a' is"):
        part.write(made.values({}, locale="en"))


def test_html_is_escaped_as_markupsafe_does() -> None:
    """Also a value that is a number, and one that a filter has escaped."""
    files = {
        "t.html.j2": "{{ a }}{{ a|e }}{{ n }}{{ f }}{{ a ~ '<' }}",
        "t.j2": "{{ a }}{{ n }}{{ f }}",
    }
    data = {"a": "<a href='x'>\"&amp;\"", "n": 1, "f": 1.5}
    escaped = "&lt;a href=&#39;x&#39;&gt;&#34;&amp;amp;&#34;"
    for path, output in (
        ("t.html.j2", f"{escaped}{escaped}11.5{escaped}&lt;"),
        ("t.j2", f"{data['a']}11.5"),
    ):
        assert outputs(files, data, path) == (output, output)


def packaged() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each part of the packaged templates, with its file and its example data."""
    templates = Templates()
    for info in templates.names():
        data = templates.sample(info.name) | {"unsubscribe_url": "https://example.com/u"}
        for locale in info.locales:
            for channel in info.channels:
                for part in CHANNELS[channel].parts:
                    yield info.name, f"{info.name}/{locale}/{channel}.{part.name}.j2", data


CASES = list(packaged())
TEMPLATES = TemplateSandbox(jinja2.PackageLoader("templates", ""))
TEXTS = ["2026-03-01", "2026-03-01T14:05:00Z", "https://example.com/é", "EUR", "<b>'\""]
ITEM = st.dictionaries(st.sampled_from(["description", "amount", "quantity"]), st.integers())
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(TEXTS),
    st.lists(ITEM, max_size=3),
)


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_the_packaged_templates_are_flat_and_have_the_same_output(
    case: tuple[str, str, dict[str, Any]], data: st.DataObject
) -> None:
    """Whatever the data: right, wrong or missing."""
    _, path, sample = case
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(sample)), VALUES, max_size=2))
    removed = data.draw(st.sets(st.sampled_from(sorted(sample)), max_size=1))
    values = {name: value for name, value in {**sample, **changed}.items() if name not in removed}
    template, flat = TEMPLATES.get_template(path), flattened(TEMPLATES, path)
    assert flat is not None
    made = TEMPLATES.values(values, locale="en")
    written = output(lambda: write(template, made))
    assert output(lambda: "".join(flat.chunks(made))) == written


def output(render: Callable[[], str]) -> str | None:
    """Its output; None if it cannot be rendered."""
    try:
        return render()
    except (TemplateError, *ERRORS):
        return None
