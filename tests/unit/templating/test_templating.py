"""Templates: which files serve a request, what they may do, and what their errors tell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.errors import ConfigError, TemplateError
from notify.message import Channel, Content
from notify.templating import TemplateOrigin, Templates
from notify.templating.locales import fallbacks
from tests.support.tables import each_of

SECRET = "maria.weber@customer.example"


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Templates]:
    """Write files into an operator's folder, by path, and open it."""

    def write(files: dict[str, str], **options: Any) -> Templates:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return Templates(tmp_path, **options)

    return write


def sms(templates: Templates, locale: str | None = None, **data: Any) -> str:
    """The text that the template `t` gives for an SMS."""
    return templates.render("t", channel=Channel.SMS, locale=locale, data=data).text


def refusal(templates: Templates, **data: Any) -> str:
    """The error text of the template `t` for an SMS."""
    with pytest.raises(TemplateError) as caught:
        sms(templates, **data)
    return str(caught.value)


Put = Callable[..., Templates]


def test_an_email_has_a_subject_a_text_and_html(put: Put) -> None:
    """Each part comes from its own file."""
    templates = put(
        {
            "t/email.subject.j2": "S {{ x }}\n",
            "t/email.text.j2": "T {{ x }}\n",
            "t/email.html.j2": "<p>{{ x }}</p>\n",
        }
    )
    content = templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": 1})
    assert content == Content(subject="S 1", text="T 1", html="<p>1</p>")


def test_a_push_message_gives_its_title_as_subject_and_its_body_as_text(put: Put) -> None:
    """The two words of push map onto the content's fields."""
    templates = put({"t/push.title.j2": "Title", "t/push.body.j2": "Body"})
    content = templates.render("t", channel=Channel.PUSH, locale=None, data={})
    assert content == Content(subject="Title", text="Body")


def test_html_is_escaped_and_plain_text_is_not(put: Put) -> None:
    """Only an .html.j2 file, its layout and its includes escape what data holds."""
    templates = put(
        {
            "_frame.html.j2": "<b>{% block body %}{% endblock %}</b>{% include '_foot.html.j2' %}",
            "_foot.html.j2": "<i>{{ x }}</i>",
            "t/email.subject.j2": "{{ x }}",
            "t/email.text.j2": "{{ x }}",
            "t/email.html.j2": (
                "{% extends '_frame.html.j2' %}{% block body %}{{ x }}{% endblock %}"
            ),
        }
    )
    content = templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": "<a href='&'>"})
    escaped = "&lt;a href=&#39;&amp;&#39;&gt;"
    assert content.subject == content.text == "<a href='&'>"
    assert content.html == f"<b>{escaped}</b><i>{escaped}</i>"


@pytest.mark.parametrize(
    ("locale", "default", "wanted"),
    [
        ("pt-BR", "en", "pt_br"),
        ("PT_br", "en", "pt_br"),
        ("pt-PT", "en", "pt"),
        ("pt", "en", "pt"),
        ("de-AT", "en", "en"),
        ("fr", "fr-CA", "en"),
        ("de", "pt-BR", "pt_br"),
        (None, "en", "en"),
        (None, "pt-PT", "pt"),
        (None, "de", "bare"),
        ("zh-Hant-TW", "de", "bare"),
    ],
)
def test_a_locale_falls_back_step_by_step(
    put: Put, locale: str | None, default: str, wanted: str
) -> None:
    """From region to language, to the default locale, to the files in no locale's folder."""
    files = {f"t/{name}/sms.text.j2": name for name in ("pt_br", "pt")}
    if wanted == "en":
        files["t/en/sms.text.j2"] = "en"
        default = "en"
    else:
        files["t/sms.text.j2"] = "bare"
    assert sms(put(files, default_locale=default), locale) == wanted


@each_of(
    ("locale", "wanted"),
    [
        ("zh-TW", "zh_tw zh_hant_tw zh_hant"),
        ("zh-Hant-TW", "zh_hant_tw zh_tw zh_hant"),
        ("zh-HK", "zh_hk zh_hant_hk zh_hant"),
        ("zh-MO", "zh_mo zh_hant_mo zh_hant_hk zh_hant"),
        ("zh-CN", "zh_cn zh_hans_cn zh_hans zh"),
        ("zh", "zh zh_hans"),
        ("sr-Latn-RS", "sr_latn_rs sr_latn"),
        ("sr-RS", "sr_rs sr_cyrl_rs sr_cyrl sr"),
        ("uz-AF", "uz_af uz_arab_af uz_arab"),
        ("de-Latn-DE", "de_latn_de de_de de_latn de"),
        ("en-AU", "en_au en_001 en"),
        ("es-MX", "es_mx es_419 es"),
        ("pt-AO", "pt_ao pt_pt pt"),
        ("nb-NO", "nb_no nb no"),
        ("no", "no nb"),
        ("no-NO", "no_no no nb_no nb"),
        ("iw", "iw he"),
        ("cmn-TW", "cmn_tw cmn zh_tw zh_hant_tw zh_hant"),
        ("ca-ES-valencia", "ca_es_valencia ca_es ca"),
        ("xx-Latn-1", "xx_latn_1 xx_latn xx"),
    ],
)
def test_a_locale_falls_back_within_its_script(locale: str, wanted: str) -> None:
    """Readers of Traditional Chinese get the default language, not Simplified Chinese."""
    assert fallbacks(locale) == tuple(wanted.split())


@given(st.from_regex(r"[a-z0-9]{1,8}([_-][A-Za-z0-9]{1,8}){0,5}", fullmatch=True))
def test_whatever_the_locale_its_own_folder_comes_first(locale: str) -> None:
    """Producers write any tag; each is looked for as written, and none twice."""
    found = fallbacks(locale)
    assert found[0] == locale.lower().replace("-", "_")
    assert len(set(found)) == len(found)


def test_each_channel_falls_back_by_itself(put: Put) -> None:
    """A locale that has an email but no SMS lends its email only."""
    templates = put(
        {
            "t/de/email.subject.j2": "de",
            "t/de/email.text.j2": "de",
            "t/en/sms.text.j2": "en",
        }
    )
    assert sms(templates, "de") == "en"
    assert templates.render("t", channel=Channel.EMAIL, locale="de", data={}).text == "de"


def test_a_template_is_told_the_locale_of_its_own_files(put: Put) -> None:
    """It is the locale found, not the one asked for, and not one from the data."""
    templates = put({"t/pt_br/sms.text.j2": "{{ locale }}", "t/en/sms.text.j2": "{{ locale }}"})
    assert sms(templates, "pt-BR") == "pt-br"
    assert templates.render("t", channel=Channel.SMS, locale="fr", data={"locale": "x"}).text == (
        "en"
    )


def test_an_operators_file_replaces_the_packaged_file_of_the_same_path(put: Put) -> None:
    """The other parts and locales stay the packaged ones."""
    templates = put({"login_code/en/email.subject.j2": "Ours: {{ code }}"})
    data = {"code": "123456", "minutes": 5, "product": "Acme"}
    content = templates.render("login_code", channel=Channel.EMAIL, locale="en", data=data)
    assert content.subject == "Ours: 123456"
    assert "Your code to sign in to Acme" in content.text
    german = templates.render("login_code", channel=Channel.EMAIL, locale="de", data=data)
    assert german.subject == "123456 ist Ihr Code für Acme"


def test_an_operators_layout_serves_the_packaged_templates(put: Put) -> None:
    """One file is enough to change the frame of every mail."""
    templates = put({"_layout.html.j2": "OURS {% block content %}{% endblock %}"})
    content = templates.render(
        "welcome", channel=Channel.EMAIL, locale="en", data=templates.sample("welcome")
    )
    assert content.html.startswith("OURS")
    assert "Maria Weber" in content.html


@pytest.mark.parametrize("name", ["", "../t", "/etc/passwd", "T", "t/en", "_layout", "t\n", "é"])
def test_a_name_that_is_none_is_refused(put: Put, name: str) -> None:
    """A name never reaches the file system unless it is one."""
    templates = put({"t/sms.text.j2": "x"})
    with pytest.raises(TemplateError, match="a template's name has only a to z, 0 to 9 and _"):
        templates.render(name, channel=Channel.SMS, locale=None, data={})


@pytest.mark.parametrize("locale", ["", "..", "../en", "en/../..", "de\n", "d e", "en-" * 10, "é"])
def test_a_locale_that_is_none_is_refused(put: Put, locale: str) -> None:
    """A locale never reaches the file system unless it is one, and is not repeated."""
    templates = put({"t/sms.text.j2": "x"})
    with pytest.raises(TemplateError, match=r"^a locale is a language tag such as de or pt-BR$"):
        sms(templates, locale)


def test_an_unknown_template_is_named(put: Put) -> None:
    """The error says which, and where to look."""
    with pytest.raises(TemplateError, match="there is no template 'nope'; `notify template ls`"):
        put({}).render("nope", channel=Channel.SMS, locale=None, data={})


def test_a_channel_that_a_template_lacks_is_named_with_the_locales_tried(put: Put) -> None:
    """The error tells how far the search went."""
    templates = put({"t/email.subject.j2": "s", "t/email.text.j2": "t"}, default_locale="en")
    with pytest.raises(TemplateError, match="'t' has no sms version for any of: pt_br, pt, en"):
        sms(templates, "pt-BR")


@pytest.mark.parametrize(
    ("present", "channel", "missing"),
    [
        (("email.subject", "email.html"), Channel.EMAIL, "email.text.j2 is missing"),
        (("email.html",), Channel.EMAIL, "email.subject.j2 and email.text.j2 are missing"),
        (("email.text",), Channel.EMAIL, "email.subject.j2 is missing"),
        (("push.title",), Channel.PUSH, "push.body.j2 is missing"),
    ],
)
def test_a_version_without_a_needed_part_is_refused(
    put: Put, present: tuple[str, ...], channel: Channel, missing: str
) -> None:
    """An email needs a subject and a text, whether or not it has HTML; push needs both parts."""
    templates = put({f"t/de/{part}.j2": "x" for part in present})
    with pytest.raises(TemplateError, match=f"^t/de: {missing}; {channel} needs "):
        templates.render("t", channel=channel, locale="de", data={})


@pytest.mark.parametrize("end", ["\r\nBcc: x@y.example", "\r", "\n", "\x00", "\u2028", "\u2029"])
@pytest.mark.parametrize("more", ["\x85", "\x1b", "\x7f", ""])
def test_a_subject_cannot_be_broken_by_data(put: Put, end: str, more: str) -> None:
    """Line breaks, even at the end, and control characters refuse the message."""
    templates = put({"t/email.subject.j2": "Hi {{ x }}", "t/email.text.j2": "t"})
    with pytest.raises(
        TemplateError, match=r"t/email\.subject\.j2: the subject contains a line break"
    ):
        templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": f"A{more}{end}"})


@pytest.mark.parametrize("turn", [0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2068, 0x2069])
@pytest.mark.parametrize("written", [False, True])
def test_a_rendered_subject_changes_no_direction(put: Put, turn: int, written: bool) -> None:
    """Be it in the data or in the template: the subject would read as another one."""
    subject = f"Hi {chr(turn)}{{{{ x }}}}" if written else "Hi {{ x }}"
    templates = put({"t/email.subject.j2": subject, "t/email.text.j2": "t {{ x }}"})
    data = {"x": "Ann" if written else f"Ann{chr(turn)}"}
    with pytest.raises(TemplateError, match="the subject contains a bidirectional override"):
        templates.render("t", channel=Channel.EMAIL, locale=None, data=data)


@given(text=st.text())
def test_a_title_is_one_line_or_refused(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the data: no rendered title has a second line."""
    folder = tmp_path_factory.getbasetemp() / "title"
    (folder / "t").mkdir(parents=True, exist_ok=True)
    (folder / "t" / "push.title.j2").write_text("{{ x }}")
    (folder / "t" / "push.body.j2").write_text("b")
    try:
        content = Templates(folder).render("t", channel=Channel.PUSH, locale=None, data={"x": text})
    except TemplateError:
        return
    assert content.subject.splitlines() == [content.subject]
    assert "\x00" not in content.subject


def test_a_subject_longer_than_a_header_line_is_refused(put: Put) -> None:
    """998 characters pass, one more does not."""
    templates = put({"t/email.subject.j2": "{{ x }}", "t/email.text.j2": "t"})
    templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": "a" * 998})
    with pytest.raises(TemplateError, match="the subject has more than 998 characters"):
        templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": "a" * 999})


@pytest.mark.parametrize("text", ["", "  \n", "{{ x }}"])
def test_an_empty_part_is_refused(put: Put, text: str) -> None:
    """An empty message is useless."""
    assert refusal(put({"t/sms.text.j2": text}), x="") == "t/sms.text.j2: the text is empty"


@pytest.mark.parametrize("unseen", ["\ufeff", "\u200b", "\u2060 \u200e"], ids=ascii)
def test_a_part_that_nobody_sees_is_empty(put: Put, unseen: str) -> None:
    """However many characters it has."""
    templates = put({"t/sms.text.j2": "{{ x }}"})
    assert refusal(templates, x=unseen) == "t/sms.text.j2: the text is empty"


def test_a_lone_surrogate_is_refused(put: Put) -> None:
    """JSON can carry half a character; no provider can."""
    error = refusal(put({"t/sms.text.j2": "{{ x }}"}), x="\ud800")
    assert error == "t/sms.text.j2: the data contains half a character (a surrogate)"


def test_missing_data_is_named_with_its_file_and_line(put: Put) -> None:
    """Also in a file that another one includes."""
    templates = put(
        {"t/sms.text.j2": "a\n{% include '_b.text.j2' %}", "_b.text.j2": "\n\n{{ x.y }}"}
    )
    assert refusal(templates, x={}) == "_b.text.j2, line 3: missing data: 'y' is undefined"
    assert refusal(templates) == "_b.text.j2, line 3: missing data: 'x' is undefined"


@pytest.mark.parametrize(
    "expression",
    ["x", "x.y.z", "x['y']", "x + 1", "x * 2", "x|upper", "x|money('EUR')", "x|link", "x|date"],
)
def test_nothing_hides_missing_data(put: Put, expression: str) -> None:
    """Every use of an undefined name is an error."""
    error = refusal(put({"t/sms.text.j2": f"a {{{{ {expression} }}}}"}))
    assert error == "t/sms.text.j2, line 1: missing data: 'x' is undefined"


def test_missing_data_in_a_loop_or_a_condition_is_an_error(put: Put) -> None:
    """A missing list is not an empty one."""
    assert "'x' is undefined" in refusal(put({"t/sms.text.j2": "{% for y in x %}{% endfor %}"}))
    assert "'x' is undefined" in refusal(put({"t/sms.text.j2": "{% if x %}{% endif %}"}))


def test_a_byte_order_mark_is_not_part_of_the_text(put: Put) -> None:
    """Some editors write one: printed, it makes a GSM-7 text two segments of UCS-2."""
    templates = put(
        {
            "t/sms.text.j2": "\ufeff{% include '_a.text.j2' %}{{ code }}",
            "_a.text.j2": "\ufeffYour code is ",
            "t/sample.json": '\ufeff{"code": "123456"}',
        }
    )
    assert sms(templates, **templates.sample("t")) == "Your code is 123456"
    assert templates.problems() == []


def test_a_mark_before_extends_or_in_data_changes_nothing_else(put: Put) -> None:
    """A layout that begins with a mark prints none; data is printed as the producer sent it."""
    templates = put(
        {
            "_layout.text.j2": "\ufeff<{% block body %}{% endblock %}>",
            "t/sms.text.j2": "\ufeff{% extends '_layout.text.j2' %}"
            "{% block body %}{{ x }}{% endblock %}",
        }
    )
    assert sms(templates, x="\ufeffa") == "<\ufeffa>"


def test_data_may_be_optional(put: Put) -> None:
    """With a default or a test, at any depth."""
    templates = put({"t/sms.text.j2": "{{ a.b.c|default('-') }}{% if d is defined %}!{% endif %}"})
    assert sms(templates) == "-"
    assert sms(templates, a={"b": {"c": 1}}, d=None) == "1!"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "true or false"), ([1], "a list"), ({"a": 1}, "a mapping")],
)
def test_only_text_and_numbers_are_printed(put: Put, value: object, kind: str) -> None:
    """Hello None is never what was meant."""
    error = refusal(put({"t/sms.text.j2": "Hello {{ x }}"}), x=value)
    assert error == f"t/sms.text.j2, line 1: the value to print is {kind}"


@pytest.mark.parametrize(
    "expression",
    [
        "x|capitalize",
        "x|e",
        "x|escape",
        "x|lower",
        "x|round",
        "x|title",
        "x|trim",
        "x|truncate(3)",
        "x|upper",
        "x|urlencode",
        "'Hello ' ~ x",
        "x ~ '!'",
        "(x ~ 'a')|upper",
        "['a', x]|join(', ')",
        "[x]|join",
        "['a', 'b']|join(x)",
        "[{'y': x}]|join(', ', attribute='y')",
        "{'y': x}.y|upper",
        "[x]|first|lower",
        "x|default('-')|upper",
        "'a' if false else x|title",
    ],
)
@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "true or false"), (["a"], "a list"), ({"a": 1}, "a mapping")],
)
def test_a_filter_or_an_operator_prints_nothing_else_either(
    put: Put, expression: str, value: object, kind: str
) -> None:
    """Behind a filter, `~` or a join it would be written as Python writes it: Hello NONE."""
    error = refusal(put({"t/sms.text.j2": f"{{{{ {expression} }}}}"}), x=value)
    assert error == f"t/sms.text.j2, line 1: the value to print is {kind}"


@pytest.mark.parametrize(("value", "kind"), [(None, "null"), ({"a": 1}, "a mapping")])
def test_only_a_list_or_a_text_is_joined(put: Put, value: object, kind: str) -> None:
    """Of a mapping its keys alone would be printed."""
    error = refusal(put({"t/sms.text.j2": "{{ x|join(', ') }}"}), x=value)
    assert error == f"t/sms.text.j2, line 1: the value to print is {kind}"


def test_texts_and_numbers_pass_every_filter_and_operator(put: Put) -> None:
    """The check changes nothing that may be printed; HTML stays escaped once."""
    templates = put(
        {
            "t/email.subject.j2": "{{ x|upper }}{{ 1.5|round }}{{ n|e }}",
            "t/email.text.j2": "{{ [x, n]|join('/') }} {{ range(3)|join }} {{ x|join('-') }} "
            "{{ [{'y': x}]|join(attribute='y') }} {{ x ~ n ~ 2.5 }} {{ 'a b'|urlencode }}",
            "t/email.html.j2": "{{ ['<', n]|join('&') }}{{ '<' ~ n }}{{ y|e ~ '>' }}",
        }
    )
    content = templates.render(
        "t", channel=Channel.EMAIL, locale=None, data={"x": "ab", "n": 7, "y": "<"}
    )
    assert content.subject == "AB2.07"
    assert content.text == "ab/7 012 a-b ab ab72.5 a%20b"
    assert content.html == "&lt;&amp;7&lt;7&lt;&gt;"


@pytest.mark.parametrize(
    "template",
    [
        "{{ table[x] }}",
        "{{ x + 1 }}",
        "{{ x * 3 }}",
        "{{ 3 % x }}",
        "{{ x % 3 }}",
        "{{ x|money('EUR') }}",
        "{{ x|date }}",
        "{{ x|datetime }}",
        "{{ x|link }}",
        "{{ 1|money(x) }}",
        "{{ 1.5|round(1, x) }}",
        "{{ x|items }}",
        "{% for a, b in [x] %}{% endfor %}",
        "{{ 1 / (x|length - x|length) }}",
    ],
)
def test_an_error_never_repeats_a_value_of_the_data(put: Put, template: str) -> None:
    """Recipients and codes stay out of logs, also out of the chained error."""
    templates = put({"t/sms.text.j2": template})
    with pytest.raises(TemplateError) as caught:
        sms(templates, x=SECRET, table={})
    error = caught.value
    assert SECRET not in str(error)
    assert str(error).startswith("t/sms.text.j2, line 1: ")
    assert error.__suppress_context__
    assert error.__cause__ is None


def test_a_syntax_error_is_named_with_its_file_and_line(put: Put) -> None:
    """It does not stop the other templates."""
    templates = put({"t/sms.text.j2": "ok\n{% if %}", "u/sms.text.j2": "fine"})
    assert refusal(templates).startswith("t/sms.text.j2, line 2: ")
    assert templates.render("u", channel=Channel.SMS, locale=None, data={}).text == "fine"


@pytest.mark.parametrize(
    "expression",
    ["x|truncate(2)", "x|truncate(9, leeway=-1)", "x|truncate(2, true, '.....')", "x + 1e999"],
)
def test_an_expression_that_cannot_be_evaluated_is_the_templates_mistake(
    put: Put, expression: str
) -> None:
    """Any other error would decide on the whole batch, and send it to the dead letters."""
    error = refusal(put({"t/sms.text.j2": f"\n{{{{ {expression} }}}}"}), x=SECRET)
    assert error.startswith("t/sms.text.j2, line 2: does not work with this data (")
    assert SECRET not in error


# Jinja reads them, and Python cannot compile what it makes of them.
NOT_COMPILED = {
    "twice": "{{ x|truncate(length=4, length=5) }}",
    "for": "{% for a in x %}" * 101 + "{% endfor %}" * 101,
    "if": "{% if x %}" * 101 + "{% endif %}" * 101,
    "brackets": "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "sum": "{{ 1" + "+1" * 5_000 + " }}",
    "filters": "{{ x" + "|e" * 3_000 + " }}",
    "digits": "{{ " + "9" * 5_001 + " }}",
    "hexadecimal": "{{ 0x" + "f" * 5_001 + " }}",
}
if sys.version_info < (3, 13):  # later ones compile it
    NOT_COMPILED["elif"] = "{% if x %}" + "{% elif x %}" * 3_000 + "{% endif %}"


@pytest.mark.parametrize("path", ["{}/sms.text.j2", "_{}.text.j2"], ids=["itself", "included"])
def test_what_python_cannot_compile_is_the_templates_mistake(
    put: Put, tmp_path: Path, path: str
) -> None:
    """Jinja reads it, and the compiler below raises errors of its own."""
    templates = put({f"{name}/sms.text.j2": "Hello" for name in NOT_COMPILED})
    put({f"{name}/sms.text.j2": f"{{% include '_{name}.text.j2' %}}" for name in NOT_COMPILED})
    put({path.format(name): text for name, text in NOT_COMPILED.items()})
    with pytest.raises(ConfigError) as caught:
        templates.reload()
    broken = Templates(tmp_path)
    problems = broken.problems()
    assert {each.split(": ")[0] for each in problems} == {path.format(n) for n in NOT_COMPILED}
    assert str(caught.value).split("\n  ")[1:] == problems
    for name in NOT_COMPILED:
        with pytest.raises(TemplateError, match=path.format(name)) as refused:
            broken.render(name, channel=Channel.SMS, locale=None, data={"x": ["x"]})
        assert str(refused.value).startswith(f"{path.format(name)}: ")
    assert {info.name for info in broken.names()} >= set(NOT_COMPILED)


def test_dotted_names_read_items_and_never_methods(put: Put) -> None:
    """`order.items` is the data's, and where the data has none it is missing."""
    templates = put({"t/sms.text.j2": "{{ order.items }}"})
    assert sms(templates, order={"items": 3}) == "3"
    assert "'items' is undefined" in refusal(templates, order={"id": 3})
    assert "'upper' is undefined" in refusal(put({"t/sms.text.j2": "{{ x.upper }}"}), x="a")


def test_loops_know_their_position(put: Put) -> None:
    """The words of `loop`, pairs of a mapping, positions and slices of a list all work."""
    templates = put(
        {
            "t/sms.text.j2": (
                "{% for k, v in x|items %}{{ loop.index }}/{{ loop.length }} {{ k }}={{ v }}"
                "{% if not loop.last %}, {% endif %}{% endfor %};"
                "{% for y in z[1:] %}{{ y }}{% else %}none{% endfor %}{{ z[0] }}{{ z[-1] }}"
                "{% for n in range(3) %}{{ n }}{% endfor %}"
            )
        }
    )
    assert sms(templates, x={"a": 1, "b": 2}, z=[7]) == "1/2 a=1, 2/2 b=2;none77012"


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''['__class__']",
        "x.__class__.__mro__",
        "x|attr('__class__')",
        "[x]|map(attribute='__class__')|first",
        "[x]|join(attribute='__class__')",
        "x|selectattr('__class__')",
        "'{0.__class__}'.format(x)",
        "'{0.__class__}'['format'](x)",
        "'%s' % x",
        "x|format(1)",
        "x.items()",
        "x.pop",
        "x.keys",
        "self",
        "self.__init__",
        "self._TemplateReference__context",
        "super",
        "super()",
        "range",
        "range.__globals__",
        "loop",
        "cycler('a')",
        "cycler.__init__.__globals__.os",
        "joiner.__init__",
        "namespace(a=1)",
        "lipsum.__globals__",
        "dict(a=1)",
        "get_flashed_messages.__globals__",
        "caller()",
        "varargs",
        "context",
        "environment",
        "x|xmlattr",
        "x|safe",
        "x|tojson",
        "x|pprint",
        "x|string",
        "x|list",
        "x|counted",
        "x|replace('a', 'b')",
        "x is sameas(x)",
        "x is filter('attr')",
        "x is callable",
        "2 ** 99999999",
        "'a' * 999999999",
        "999999999 * 'a'",
        "[1] * 999999999",
        "'%999999999d' % 1",
        "range(1001)|join",
        "range(0, 99999999999)|first",
    ],
)
def test_an_expression_cannot_leave_the_sandbox(put: Put, expression: str) -> None:
    """Known escapes, blow-ups and whatever is not on the list of the offered."""
    templates = put({"t/sms.text.j2": f"a\n{{{{ {expression} }}}}"})
    assert refusal(templates, x={"a": 1}).startswith("t/sms.text.j2, line 2: ")


@pytest.mark.parametrize(
    "statement",
    [
        "{% include '../secret.j2' %}",
        "{% include '/etc/passwd' %}",
        "{% include '/etc/hostname.j2' %}",
        "{% include '__init__.py' %}",
        "{% include x %}",
        "{% include ['a.j2', 'b.j2'] %}",
        "{% include 't/a.html.j2' %}",
        "{% include 't/sms.text.j2' without context %}",
        "{% include 't/sms.text.j2' %}",
        "{% extends x %}",
        "{% extends 't/sms.text.j2' %}",
        "{% import 't/a.text.j2' as a %}",
        "{% from 't/a.text.j2' import a %}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}a{% endfilter %}",
        "{% autoescape false %}a{% endautoescape %}",
        "{% set x.a = 1 %}",
        "{% set a %}b{% endset %}",
        "{% do x.pop() %}",
        "{% debug %}",
        "{% for a in [1] recursive %}{{ loop(a) }}{% endfor %}",
        "{% for a in [1] %}{{ loop.cycle('a') }}{% endfor %}",
        "{% for a in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for a in [1] %}{{ loop.__init__ }}{% endfor %}",
        "{% block b %}{{ super() }}{% endblock %}",
        "{% for a in 5 %}{% endfor %}",
    ],
)
def test_a_statement_cannot_leave_the_sandbox(put: Put, tmp_path: Path, statement: str) -> None:
    """Files elsewhere, files chosen by data, code, and recursion without an end."""
    (tmp_path.parent / "secret.j2").write_text("secret")
    templates = put({"t/sms.text.j2": statement})
    assert refusal(templates, x={"a": 1}).startswith("t/sms.text.j2, line 1: ")


def test_a_call_is_refused_before_anything_runs(put: Put) -> None:
    """Also in a branch that this data does not take."""
    templates = put({"t/sms.text.j2": "a\n{% if false %}{{ x.y() }}{% endif %}"})
    assert refusal(templates) == "t/sms.text.j2, line 2: only range() and super() may be called"


@pytest.mark.parametrize("name", ["cycler", "dict", "joiner", "lipsum", "namespace"])
def test_jinjas_own_globals_are_not_there(put: Put, name: str) -> None:
    """They are names of the data like any other."""
    templates = put({"t/sms.text.j2": f"{{{{ {name}|default('missing') }}}}"})
    assert sms(templates) == "missing"
    assert sms(templates, **{name: "data"}) == "data"


def test_html_cannot_include_a_file_that_is_not_escaped(put: Put) -> None:
    """An included file is escaped by its own name, so plain text in HTML would be a hole."""
    templates = put(
        {
            "_x.text.j2": "{{ x }}",
            "t/email.subject.j2": "s",
            "t/email.text.j2": "t",
            "t/email.html.j2": "{% include '_x.text.j2' %}",
        }
    )
    with pytest.raises(TemplateError, match=r"line 1: HTML may refer to \.html\.j2 files only"):
        templates.render("t", channel=Channel.EMAIL, locale=None, data={"x": "<script>"})


def test_data_is_never_compiled(put: Put) -> None:
    """Whatever looks like a template in the data stays text."""
    assert sms(put({"t/sms.text.j2": "{{ x }}"}), x="{{ 7 * 7 }}{% include 'a' %}") == (
        "{{ 7 * 7 }}{% include 'a' %}"
    )


def test_data_cannot_take_the_place_of_what_templates_call(put: Put) -> None:
    """Names such as range, super or loop are data like any other."""
    templates = put({"t/sms.text.j2": "{{ super }} {{ counted }} {{ loop }}"})
    assert sms(templates, super="a", counted="b", loop="c") == "a b c"
    error = refusal(put({"t/sms.text.j2": "{{ range(3)|join }}"}), range=SECRET)
    assert SECRET not in error


def test_output_is_cut_off_at_its_limit(put: Put) -> None:
    """A part grows to 524,288 characters and no further."""
    templates = put({"t/sms.text.j2": "{% for a in x %}{{ y }}{% endfor %}"})
    assert len(sms(templates, x=[0] * 512, y="a" * 1024)) == 524_288
    error = refusal(templates, x=[0] * 513, y="a" * 1024)
    assert error == "t/sms.text.j2: the output has more than 524,288 characters"


def test_loops_that_write_nothing_are_stopped(put: Put) -> None:
    """All loops of a message share their turns, across parts, includes and super()."""
    templates = put(
        {"t/sms.text.j2": "{% for a in x %}{% include '_in.text.j2' %}{% endfor %}a",
         "_in.text.j2": "{% for b in x %}{% endfor %}"}
    )  # fmt: skip
    assert sms(templates, x=[0] * 300) == "a"
    error = refusal(templates, x=[0] * 320)
    assert error == "_in.text.j2, line 1: the loops have more than 100,000 iterations"


def test_reload_takes_up_changed_files(put: Put, tmp_path: Path) -> None:
    """Until then the compiled templates serve; a folder that is gone changes nothing."""
    templates = put({"t/sms.text.j2": "old"})
    assert sms(templates) == "old"
    (tmp_path / "t" / "sms.text.j2").write_text("new")
    assert sms(templates) == "old"
    templates.reload()
    assert sms(templates) == "new"
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    with pytest.raises(ConfigError, match="is not a folder"):
        templates.reload()
    assert sms(templates) == "new"


def test_a_reload_with_a_mistake_changes_no_template(put: Put, tmp_path: Path) -> None:
    """Not even one that is used for the first time; every mistake is told at once."""
    templates = put({"t/sms.text.j2": "old {% include '_end.j2' %}", "_end.j2": "end"})
    put({"t/sms.text.j2": "new", "_end.j2": "other", "u/sms.text.j2": "{{ x", "v/push.body.j2": ""})
    with pytest.raises(ConfigError) as refused:
        templates.reload()
    assert "u/sms.text.j2, line 1" in str(refused.value)
    assert "v: push.title.j2 is missing" in str(refused.value)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "sms.text.j2").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"w/sms\.text\.j2: cannot be read"):
        templates.reload()
    assert sms(templates) == "old end"


def test_the_memory_of_locales_is_bounded(put: Put) -> None:
    """Producers can write any locale; each still gets its answer."""
    templates = put({"t/sms.text.j2": "{{ x }}"})
    for number in range(1100):
        assert sms(templates, f"xx-{number}", x=number) == str(number)
    assert len(templates._loaded.messages) <= 1024


def test_threads_render_side_by_side(put: Put) -> None:
    """Each gets the words of its own data."""
    templates = put({"t/sms.text.j2": "{% for a in x %}{{ a }}{% endfor %}"})
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: sms(templates, x=[number] * 50), range(400)))
    assert texts == [str(number) * 50 for number in range(400)]


def test_templates_are_listed_with_their_origin_and_variables(put: Put) -> None:
    """Variables of extended and included files count; what a file sets itself does not."""
    templates = put(
        {
            "welcome/en/sms.text.j2": "Hi {{ nickname }}",
            "t/pt_br/email.subject.j2": "{{ a.b }}",
            "t/pt_br/email.text.j2": "{% set c = d %}{% include '_x.text.j2' %}{{ locale }}",
            "_x.text.j2": "{% for y in e %}{{ y }}{{ c }}{% endfor %}",
        }
    )
    listed = {info.name: info for info in templates.names()}
    assert listed["t"].variables == ("a", "d", "e")
    assert listed["t"].channels == (Channel.EMAIL,)
    assert listed["t"].locales == ("pt_br",)
    assert listed["t"].origin is TemplateOrigin.OPERATOR
    assert listed["welcome"].origin is TemplateOrigin.MIXED
    assert "nickname" in listed["welcome"].variables
    assert listed["invoice"].origin is TemplateOrigin.PACKAGED


def test_problems_name_every_broken_file(put: Put) -> None:
    """Wrong names, missing parts, syntax, and references to files that do not exist."""
    templates = put(
        {
            "README.md": "not a template",
            "t/email.body.j2": "x",
            "t/fax.text.j2": "x",
            "t/pt-BR/sms.text.j2": "x",
            "Big/sms.text.j2": "x",
            "stray.j2": "x",
            "t/email.html.j2": "x",
            "u/sms.text.j2": "{{ 'a'|nofilter }}",
            "v/sms.text.j2": "{% include '_gone.text.j2' %}",
        }
    )
    assert sorted(templates.problems()) == [
        "Big/sms.text.j2: a template's name has only a to z, 0 to 9 and _",
        "stray.j2: must be <name>/[<locale>/]<channel>.<part>.j2",
        "t/email.body.j2: the parts of email are: subject, text, html",
        "t/fax.text.j2: there is no channel 'fax'",
        "t/pt-BR/sms.text.j2: a locale's folder is in lower case, such as pt_br",
        "t: email.subject.j2 and email.text.j2 are missing; email needs subject and text",
        "u/sms.text.j2, line 1: No filter named 'nofilter'.",
        "v/sms.text.j2: refers to _gone.text.j2, which does not exist",
    ]
    assert {"t", "u", "v"} <= {info.name for info in templates.names()}


FRAME = (
    "{% block title required %}{% endblock %}{% block body %}{% endblock %}"
    "{% block foot required %} {% endblock %}"
)


def test_a_required_block_that_is_missing_is_the_templates_mistake(put: Put) -> None:
    """`template ls` names it and the file; a message's reason does not blame its data."""
    templates = put(
        {
            "_frame.text.j2": FRAME,
            "t/sms.text.j2": "{% extends '_frame.text.j2' %}{% block foot %}f{% endblock %}",
        }
    )
    lacks = "t/sms.text.j2: the block 'title' is missing, which _frame.text.j2"
    assert templates.problems() == [f"{lacks} requires"]
    assert refusal(templates) == f"{lacks}, line 1 requires"
    with pytest.raises(ConfigError, match="the block 'title' is missing"):
        templates.reload()


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        # Over a file between, which may fill a block or require another.
        (
            {
                "_mid.text.j2": "{% extends '_frame.text.j2' %}{% block foot %}{% endblock %}"
                "{% block body %}{% block side required %}{% endblock %}{% endblock %}",
                "t/sms.text.j2": "{% extends '_mid.text.j2' %}{% block title %}t{% endblock %}",
            },
            ["t/sms.text.j2: the block 'side' is missing, which _mid.text.j2 requires"],
        ),
        # A block that is required again is still not filled.
        (
            {
                "_mid.text.j2": "{% extends '_frame.text.j2' %}{% block foot %}{% endblock %}"
                "{% block title required %}{% endblock %}",
                "t/sms.text.j2": "{% extends '_mid.text.j2' %}",
            },
            ["t/sms.text.j2: the block 'title' is missing, which _mid.text.j2 requires"],
        ),
        # In a file that is included, and in one that is included but meant to be extended.
        (
            {
                "_box.text.j2": "{% extends '_frame.text.j2' %}{% block foot %}{% endblock %}",
                "t/sms.text.j2": "{% include '_box.text.j2' %}",
                "u/sms.text.j2": "{% include '_frame.text.j2' %}",
            },
            [
                "_box.text.j2: the block 'title' is missing, which _frame.text.j2 requires",
                "u/sms.text.j2: the block 'foot' is missing, which _frame.text.j2 requires",
                "u/sms.text.j2: the block 'title' is missing, which _frame.text.j2 requires",
            ],
        ),
        # Where it extends on a condition, and in a block of its own.
        (
            {
                "t/sms.text.j2": "{% if x %}{% extends '_frame.text.j2' %}{% endif %}"
                "{% block title %}{% endblock %}{% block foot %}{% endblock %}",
                "u/sms.text.j2": "{% block a required %}{% endblock %}",
            },
            ["u/sms.text.j2: the block 'a' is missing, which u/sms.text.j2 requires"],
        ),
        # Nothing is missing.
        (
            {
                "t/sms.text.j2": "{% extends '_frame.text.j2' %}{% block body %}"
                "{% block title %}t{% endblock %}{% endblock %}{% block foot %}f{% endblock %}"
            },
            [],
        ),
    ],
)
def test_required_blocks_are_found_wherever_they_stand(
    put: Put, files: dict[str, str], missing: list[str]
) -> None:
    """Over several files, in includes, under a condition."""
    assert sorted(put({"_frame.text.j2": FRAME, **files}).problems()) == missing


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{% if x %}{{ x|nofilter }}{% endif %}a", ", line 1: No filter named 'nofilter'."),
        ("{{ 'a' if x is notest else 'b' }}", ", line 1: No test named 'notest'."),
        (
            "{% extends '_a.text.j2' %}\n{% extends '_a.text.j2' %}",
            ", line 2: extended twice",
        ),
        (
            "{% extends '_a.text.j2' %}{% block b %}{% block a %}{% endblock %}"
            "{{ super() }}{% endblock %}",
            ", line 1: super() in the block 'b', which no extended file has",
        ),
        ("{% extends 't/sms.text.j2' %}", ": extends itself"),
    ],
)
def test_a_mistake_is_named_before_any_message_meets_it(put: Put, text: str, mistake: str) -> None:
    """Also in a condition that is seldom taken; the reasons of messages do not blame the data."""
    templates = put({"_a.text.j2": "{% block a %}{% endblock %}", "t/sms.text.j2": text})
    assert templates.problems() == [f"t/sms.text.j2{mistake}"]
    assert "t" in {info.name for info in templates.names()}


def test_a_block_without_a_parent_is_not_missing_data(put: Put) -> None:
    """Jinja's own word for it is that something is undefined."""
    error = refusal(put({"t/sms.text.j2": "{% block b %}{{ super() }}{% endblock %}"}))
    assert error == ("t/sms.text.j2, line 1: super() in the block 'b', which no extended file has")


def test_a_file_that_includes_itself_is_listed(put: Put) -> None:
    """Whether that ends depends on the data; listing it does."""
    templates = put({"t/sms.text.j2": "{{ x }}{% if y %}{% include 't/sms.text.j2' %}{% endif %}"})
    assert next(i.variables for i in templates.names() if i.name == "t") == ("x", "y")


def test_a_folder_that_does_not_exist_is_a_configuration_error(tmp_path: Path) -> None:
    """It is told at once, not at the first message."""
    with pytest.raises(ConfigError, match=r"templates\.folder: .*nowhere is not a folder"):
        Templates(tmp_path / "nowhere")


def test_a_default_locale_that_is_none_is_a_configuration_error() -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match=r"templates\.default_locale: a locale is"):
        Templates(default_locale="German!")


@pytest.mark.parametrize("text", ["[1]", "{", "\x00", '{"a": 1, "a": 2}', "[" * 9_000])
def test_a_broken_sample_is_refused(put: Put, text: str) -> None:
    """The error names the file."""
    with pytest.raises(TemplateError, match=r"t/sample\.json is not"):
        put({"t/sms.text.j2": "a", "t/sample.json": text}).sample("t")


def test_a_template_without_a_sample_has_an_empty_one(put: Put) -> None:
    """And one that does not exist has none."""
    templates = put({"t/sms.text.j2": "a"})
    assert templates.sample("t") == {}
    with pytest.raises(TemplateError, match="there is no template"):
        templates.sample("../t")


@pytest.mark.parametrize("expression", ["x*1e308*100", "1e308*10", "1e999", "(x*1e999)|round"])
def test_a_number_beyond_all_numbers_is_not_printed(put: Put, expression: str) -> None:
    """An amount of inf is a mistake."""
    assert refusal(put({"t/sms.text.j2": f"{{{{ {expression} }}}}"}), x=1)
