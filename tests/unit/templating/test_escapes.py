"""The known ways out of Jinja's sandbox, each by its name, and data that means harm."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.categories import Categories
from notify.contract import Incoming, Limits, decode
from notify.delivery.planner import rendered
from notify.errors import DecodeError, TemplateError
from notify.message import Channel, Content
from notify.templating import Templates

ESCAPES = {
    # str.format reaches attributes: CVE-2016-10745, and by format_map CVE-2019-10906.
    "CVE-2016-10745": "{{ '{0.__class__.__init__.__globals__}'.format(x) }}",
    "CVE-2016-10745, of the data": "{{ x.format(x) }}",
    "CVE-2019-10906": "{{ '{a.__class__}'.format_map(x) }}",
    "CVE-2019-10906, of the data": "{{ x['format_map'](x) }}",
    # A reference to str.format, called under another name: CVE-2024-56326.
    "CVE-2024-56326": "{% set f = '{0.__class__}'.format %}{{ f(x) }}",
    "CVE-2024-56326, as what may be called": "{% set range = '{0}'.format %}{{ range(x) }}",
    "CVE-2024-56326, by a loop": "{% for range in ['{0}'.format] %}{{ range(x) }}{% endfor %}",
    "CVE-2024-56326, by with": "{% with super = '{0}'.format %}{{ super(x) }}{% endwith %}",
    "CVE-2024-56326, by a filter": "{{ [x]|map('format')|first }}",
    # A template's name that becomes code: CVE-2024-56201.
    "CVE-2024-56201": "{% include \"{__import__('os').system('id')}.j2\" %}",
    "CVE-2024-56201, quotes": "{% include 'a\\'+__import__(\"os\").name+\\'.j2' %}",
    # The filter `attr` gives str.format: CVE-2025-27516.
    "CVE-2025-27516": "{{ ('{0.__class__}'|attr('format'))(x) }}",
    "CVE-2025-27516, mapped": "{{ ['{0}']|map(attribute='format')|first }}",
    "attributes by the tilde": "{{ x['__cl' ~ 'ass__'] }}",
    "attributes by hexadecimal": "{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "attributes by join": "{{ x[['__class', '__']|join] }}",
    "a subclass": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals by a function": "{{ range.__globals__ }}",
    "globals by a block": "{% block b %}{{ self.b.__globals__ }}{% endblock %}",
    "globals by a context": "{{ self._TemplateReference__context }}",
    "a huge range": "{{ range(10 ** 9)|join }}",
    "ranges in ranges": (
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"
    ),
    "a huge power": "{{ 9 ** 9 ** 9 }}",
    "a huge text": "{{ 'a' * 10 ** 9 }}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "recursion by include": "{% include 't/sms.text.j2' %}",
    "recursion by extends": "{% extends 't/sms.text.j2' %}",
    "recursion by a loop": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "recursion by a macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}
HARMFUL = st.text() | st.lists(
    st.sampled_from(
        ["{{ 7*7 }}", "{% include 'a' %}", "{#", "\r\n", "\0", "\u2028", "\x85", "Bcc: "]
    )
).map("".join)
ONE_LINE = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")


def put(folder: Path, **parts: str) -> Templates:
    """Write the template `t`, its parts by their files' names."""
    (folder / "t").mkdir(exist_ok=True)
    for part, text in parts.items():
        (folder / "t" / f"{part.replace('_', '.')}.j2").write_text(text, encoding="utf-8")
    return Templates(folder)


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_is_closed(tmp_path: Path, name: str) -> None:
    """It is refused in words that name the template, and nothing of it has run."""
    templates = put(tmp_path, sms_text=f"a {ESCAPES[name]}")
    with pytest.raises(TemplateError, match=r"t/sms\.text\.j2"):
        templates.render("t", channel=Channel.SMS, locale=None, data={"x": {"a": "b"}})


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """A template that says what it is told."""
    folder = tmp_path_factory.mktemp("echo")
    return put(folder, email_subject="S {{ x }}", email_text="T {{ x }} T", push_title="{{ x }}")


@given(value=HARMFUL)
def test_data_is_text_and_never_a_template(echo: Templates, value: str) -> None:
    """Whatever it looks like, it comes out as it went in, or the whole is refused."""
    try:
        content = echo.render("t", channel=Channel.EMAIL, locale=None, data={"x": value})
    except TemplateError:
        assert not ONE_LINE.fullmatch(value) or _half(value) or len(value) > 900
        return
    assert content == Content(subject=f"S {value}", text=f"T {value} T")
    assert ONE_LINE.fullmatch(content.subject)


@given(value=HARMFUL, channel=st.sampled_from([Channel.EMAIL, Channel.PUSH]))
def test_inline_content_is_sent_as_it_is(echo: Templates, value: str, channel: Channel) -> None:
    """It is never compiled, and its subject cannot break out of a header."""
    subject, text = ("subject", "text") if channel is Channel.EMAIL else ("title", "body")
    to = "a@example.com" if channel is Channel.EMAIL else "token"
    request = {"id": str(uuid4()), "to": to, subject: f"s{value}", text: f"t{value}"}
    incoming = Incoming(
        json.dumps(request).encode(),
        f"{channel}.normal.shop",
        content_type="application/json",
    )
    try:
        (notification,) = decode(
            incoming,
            Limits(max_recipients=1),
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )
    except DecodeError:
        return
    message = rendered(notification, uuid4(), templates=echo, categories=Categories())
    assert (message.subject, message.text) == (f"s{value}", f"t{value}")
    assert ONE_LINE.fullmatch(message.subject)


def _half(text: str) -> bool:
    return any(unicodedata.category(each) == "Cs" for each in text)
