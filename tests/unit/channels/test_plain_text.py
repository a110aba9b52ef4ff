"""The text of an email that has only HTML."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from notify.channels.plain_text import plain_text
from tests.support.tables import each_of

MAIL = """<!doctype html><html><head><title>Title</title><style>p { color: red }</style></head>
<body><div style="display: none">Preview</div><h1>Hi &amp; <b>welcome</b>, Ann</h1>
<p>Your   order<br>is <a href="https://example.com/t?a=1&amp;b=2">here</a>.</p>
<ul><li>One</li><li><p>Two</p></ul>
<table><tr><td>Total</td><td>7&nbsp;EUR</td></tr><tr><td>Tax</td><td>1 EUR</td></tr></table>
<script>if (a < b) { document.write("<p>no</p>") }</script><img alt="Logo" src="cid:logo"></body>"""
TEXT = """Hi & welcome, Ann

Your order
is here (https://example.com/t?a=1&b=2).

- One
- Two

Total 7 EUR
Tax 1 EUR

Logo"""


def test_the_words_of_an_email_are_kept() -> None:
    """Paragraphs, lines, lists, cells, links and images; nothing that is invisible."""
    assert plain_text(MAIL) == TEXT


@each_of(
    ("html", "text"),
    [
        ("", ""),
        ("<img src=x>", ""),
        ("a<b>b</b>c d", "abc d"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("&lt;p&gt; &#8364; &#x20AC; &#12345678901234567890;", "<p> € € \ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ('<a href="https://example.com">https://example.com</a>', "https://example.com"),
        ('<a href="https://example.com">example.com</a>', "example.com"),
        ("<a href=mailto:a@example.com>a@example.com</a>", "a@example.com"),
        ('<a href="https://example.com"><img></a>', "https://example.com"),
        ('<a href="#top">up</a>', "up"),
        ("<p>a</p><!-- <p>no</p> --><p>b", "a\n\nb"),
        ("a<div hidden><div>no</div>no</div>b", "ab"),
        ("<p>a</p><p hidden>b<p>c", "a\n\nb\n\nc"),
        ("<P TITLE='a > b'>x</P>", "x"),
        ("<a title=5\" href='https://example.com'>x</a>", "x (https://example.com)"),
        ("x<br/>y</br>z", "x\ny\nz"),
        ("a <unfinished", "a"),
        ("a <!-- unfinished", "a"),
        ("<style>a</style >b", "b"),
        ("\u200b\u034fx\u00ad", "x"),
        ("<ul><li>a</li></ul><ol><li>b</li></ol>", "- a\n\n- b"),
    ],
)
def test_each_form_has_its_text(html: str, text: str) -> None:
    """As a browser would read it."""
    assert plain_text(html) == text


@given(st.text(st.sampled_from("<>/!-ab =\"'&;#x \n"), max_size=60))
def test_no_html_is_a_fault(html: str) -> None:
    """Whatever a producer sends."""
    assert plain_text(html).strip() == plain_text(html)


@each_of(
    "piece",
    [
        "<a ",
        "<!--",
        "</",
        "<",
        "&",
        "<a b='",
        '<a ="',
        "<li>",
        "<div hidden>",
        "<script>",
        "<?",
        "<a>",
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    """200 KB of pieces that cost other parsers hours."""
    began = time.process_time()
    plain_text(piece * (200_000 // len(piece)))
    assert time.process_time() - began < 3
