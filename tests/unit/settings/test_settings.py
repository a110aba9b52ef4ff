"""Values that the settings accept, refuse and never print."""

from __future__ import annotations

import pickle
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from notify.delivery import LEASE
from notify.errors import ConfigError
from notify.message import Channel, Unknown
from notify.settings import BreakerSettings, Settings, load, secrets_of
from notify.settings.model import LONGEST_TIMEOUT
from notify.settings.show import effective
from notify.settings.urls import shown_url
from tests.support.tables import each_of

EXAMPLE = Path(__file__).parents[3] / "config" / "notify.toml"
CANARY = "hunter2canary"
EXAMPLES = ("channels", "providers", "limits", "caps", "categories", "senders")
"""Sections of which the example file shows examples, since they have no defaults."""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file and return its path."""

    def _write(text: str) -> Path:
        file = tmp_path / "notify.toml"
        file.write_text(text, "utf-8")
        return file

    return _write


def refusal(path: Path | None, **environ: str) -> str:
    """Return the text of the error that loading raises."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ)
    return str(caught.value)


def test_nothing_said_gives_the_defaults() -> None:
    """No file, no variable: three lanes, three pools that take them all, no provider."""
    settings = load(environ={})
    assert settings == Settings()
    assert list(settings.lanes) == ["critical", "normal", "bulk"]
    assert list(settings.pools) == ["email", "sms", "push"]
    assert all(pool.lanes == list(settings.lanes) for pool in settings.pools.values())
    assert settings.channels == {}
    assert {name: lane.deadline for name, lane in settings.lanes.items()} == {
        "critical": 900,
        "normal": 21_600,
        "bulk": 86_400,
    }


def test_one_option_of_a_default_lane_leaves_its_others_as_they_were(write: Write) -> None:
    """Also those in which it differs from a lane of one's own."""
    critical = load(write("[lanes.critical]\nattempts = 3\n"), environ={}).lanes["critical"]
    assert (critical.attempts, critical.deadline, critical.longest_wait) == (3, 900, 60)


def test_rules_for_lost_answers_are_read_from_all_three_places(write: Write) -> None:
    """By channel, by lane and channel, by template; a variable reaches them too."""
    file = write(
        "[channels.sms]\nproviders = ['x']\ncountries = ['*']\nunknown = 'resend'\n"
        "[providers.x]\nuse = 'a:B'\n"
        "[templates.unknown]\ninvoice = 'park'\n[lanes.bulk.unknown]\nemail = 'park'\n"
    )
    settings = load(file, environ={"NOTIFY_LANES__BULK__UNKNOWN__PUSH": "park"})
    assert settings.channels[Channel.SMS].unknown is Unknown.RESEND
    assert settings.templates.unknown == {"invoice": Unknown.PARK}
    assert settings.lanes["bulk"].unknown == dict.fromkeys(
        (Channel.EMAIL, Channel.PUSH), Unknown.PARK
    )


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("pyamqp://notify:x@h/v", "notify"),
        ("pyamqp://a%40b:x@h/v", "a@b"),
        ("pyamqp://h:5672//", "guest"),
    ],
)
def test_the_logins_name_is_read_from_the_address(url: str, user: str) -> None:
    """It is the user that the contract accepts for any source."""
    assert load(environ={"NOTIFY_AMQP__URL": url}).amqp.user == user


def test_the_environment_beats_credentials_beat_the_file_beat_the_default(
    tmp_path: Path, write: Write
) -> None:
    """Each source gives way to the next stronger one, option by option."""
    file = write("[contract]\nmax_recipients = 1\nmax_body_bytes = 1\n[amqp]\nheartbeat = 1\n")
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "NOTIFY_CONTRACT__MAX_BODY_BYTES").write_text("2\n")
    (folder / "NOTIFY_AMQP__HEARTBEAT").write_text("2\n")
    environ = {"CREDENTIALS_DIRECTORY": str(folder), "NOTIFY_AMQP__HEARTBEAT": "3"}
    settings = load(file, environ=environ)
    assert settings.contract.max_recipients == 1
    assert settings.contract.max_body_bytes == 2
    assert settings.amqp.heartbeat == 3
    assert settings.amqp.confirm_timeout == 5.0


def test_the_file_is_found_by_its_variable(write: Write) -> None:
    """$NOTIFY_CONFIG names the file when the caller names none."""
    file = write("[amqp]\nheartbeat = 7\n")
    assert load(environ={"NOTIFY_CONFIG": str(file)}).amqp.heartbeat == 7


def test_a_credential_file_may_hold_several_values(tmp_path: Path) -> None:
    """A credential named *.env has a NAME=value on each line, quoted or not."""
    text = "# ours\nNOTIFY_AMQP__HEARTBEAT=9\n\nNOTIFY_LOG__LEVEL = 'debug'\nnonsense\n"
    (tmp_path / "providers.env").write_text(text)
    settings = load(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (settings.amqp.heartbeat, settings.log.level) == (9, "debug")


def test_variables_reach_named_tables_and_lists() -> None:
    """A list is separated by commas; a table's name is a part of the variable's."""
    environ = {
        "NOTIFY_LANES__BULK__MAX_LENGTH": "5",
        "NOTIFY_POOLS__FAST__CHANNEL": "sms",
        "NOTIFY_POOLS__FAST__LANES": "critical, normal",
    }
    settings = load(environ=environ)
    assert settings.lanes["bulk"].max_length == 5
    assert settings.pools["fast"].channel is Channel.SMS
    assert settings.pools["fast"].lanes == ["critical", "normal"]


def test_tables_are_added_to_the_default_ones_and_removed_by_false(write: Write) -> None:
    """A file adds its lanes and pools to the default ones; `false` removes one."""
    file = write("[lanes.night]\nmax_length = 3\n[pools]\npush = false\n[lanes]\nbulk = false\n")
    settings = load(file, environ={})
    assert list(settings.lanes) == ["critical", "normal", "night"]
    assert list(settings.pools) == ["email", "sms"]
    assert settings.pools["sms"].lanes == ["critical", "normal", "night"]


def test_loading_leaves_nothing_behind() -> None:
    """Values read by one call are not visible to the next."""
    load(environ={"NOTIFY_LANES__BULK__MAX_LENGTH": "5", "NOTIFY_POOLS__SMS__CONCURRENCY": "3"})
    assert load(environ={}) == Settings()


def test_systemds_own_variable_is_no_option() -> None:
    """NOTIFY_SOCKET belongs to systemd's Type=notify."""
    assert load(environ={"NOTIFY_SOCKET": "/run/systemd/notify"}) == Settings()


MISTAKES: list[tuple[str, str]] = [
    ("[amqp]\nurll = 'x'", "amqp.urll: unknown option; did you mean url?"),
    ("[ampq]\nurl = 'x'", "ampq: unknown option; did you mean amqp?"),
    ("[lanes.bulk]\nmax_lenght = 1", "lanes.bulk.max_lenght: unknown option; did you mean max_"),
    ("[amqp]\nurl = 'amqp://h'", "amqp.url: amqp:// is refused: if librabbitmq is importable"),
    ("[amqp]\nurl = 'librabbitmq://h'", "amqp.url: librabbitmq:// is refused: that library has no"),
    ("[amqp]\nurl = 'amqps://h'", "amqp.url: amqps:// is refused: it does not check the broker's"),
    ("[amqp]\nurl = 'pyamqps://h'", "amqp.url: pyamqps:// does not exist; write pyamqp:// with"),
    ("[amqp]\nurl = 'http://h'", "amqp.url: write pyamqp://user:password@host:5672/vhost"),
    (
        "[amqp]\nurl = 'pyamqp://h;pyamqp://i'",
        "amqp.url: only one address is allowed; use a DNS name",
    ),
    ("[amqp]\nurl = 'pyamqp:///v'", "amqp.url: the host is missing; write pyamqp://user"),
    ("[amqp]\nurl = 'pyamqp://u:p/w@h'", "amqp.url: the host or the port cannot be read; percent"),
    ("[amqp]\nurl = 'pyamqp://u:1/w@h'", "amqp.url: there is an @ after the host; percent-encode"),
    ("[amqp]\nurl = 'pyamqp://h/v?ssl=1'", "amqp.url: nothing may follow the virtual host; perc"),
    (
        "[amqp]\nurl = 'pyamqp://rabbit:1@u:p@h/v'",
        "amqp.url: there are two @ before the host; percen",
    ),
    ("[amqp]\nurl = 'pyamqp://u:p@rabbit\\@h/v'", "amqp.url: it contains a space, a backslash or"),
    ('[amqp]\nurl = "pyamqp://rabbit\\n/v"', "amqp.url: it contains a space, a backslash or a"),
    (
        "[store]\nurl = 'postgresql+psycopg://u:p@db@h/d'",
        "store.url: there are two @ before the host; percent-encode special characters",
    ),
    *(
        (
            f"[providers.x]\nuse = 'x:X'\noptions = {{base_url = '{url}'}}",
            "providers.x.options: base_url: contains an @: text before it is read as a user",
        )
        for url in (
            "https://user@api.example.com",
            "https://user:password@api.example.com",
            "https://api.sendgrid.com@evil.example.com",
            "https://api.sendgrid.com#@evil.example.com",
            "https://api.sendgrid.com/?@evil.example.com",
            "https://api.sendgrid.com\\@evil.example.com",
        )
    ),
    (
        "[providers.x]\nuse = 'x:X'\noptions = {hosts = ['https://a', 'https://u:p@b']}",
        "providers.x.options: hosts: contains an @: text before it",
    ),
    ("[amqp]\nheartbeat = 'often'", "amqp.heartbeat: must be a whole number"),
    ("[amqp]\nheartbeat = 0", "amqp.heartbeat: must be greater than or equal to 1"),
    ("[amqp]\nconfirm_timeout = inf", "amqp.confirm_timeout: must be a finite number: nothing"),
    ("amqp = 3", "amqp: must be a table of options"),
    ("[amqp]\nca_file = '/x'", "amqp.ca_file: has no effect without TLS; set amqp.tls = true, or"),
    ("[amqp]\ntls = true", "amqp.url: with TLS the port must be written, usually 5671"),
    (
        "[amqp]\ntls = true\nkey_file = '/k'\nurl = 'pyamqp://h:5671//'",
        "amqp.key_file: needs amqp.cert_file too",
    ),
    ("[store]\nurl = 'postgresql://h/d'", "store.url: the driver must be named; write postgresql+"),
    ("[store]\nurl = 'postgres://h/d'", "store.url: the driver must be named; write postgresql+p"),
    ("[store]\nurl = 'mysql://h/d'", "store.url: write sqlite:////path/to/file or postgresql+psy"),
    ("[contract]\nrequire_user_id = 'si'", "contract.require_user_id: must be true or false"),
    ("[templates]\ndefault_locale = '../x'", "templates.default_locale: has the wrong form"),
    ("[templates]\nfolder = 3", "templates.folder: must be a path, in quotes"),
    ("[log]\nlevel = 'loud'", "log.level: must be 'debug', 'info', 'warning' or 'error'"),
    ("[lanes.Bulk]", "lanes.Bulk: a lane's name is a-z, 0-9 and -, begins with a letter"),
    ("[lanes]\ncritical=false\nnormal=false\nbulk=false", "lanes: must list at least one"),
    (
        "[lanes.bulk]\nlongest_wait = 1",
        "lanes.bulk.longest_wait: is shorter than first_wait; raise",
    ),
    (
        "[lanes.bulk]\nfirst_wait = 601",
        "lanes.bulk.longest_wait: is shorter than first_wait; raise",
    ),
    ("[lanes.bulk]\nattempts = 0", "lanes.bulk.attempts: must be greater than or equal to 1"),
    ("[lanes.bulk]\ndeadline = inf", "lanes.bulk.deadline: must be a finite number: nothing may"),
    ("[lanes.bulk]\nunknown = 'park'", "lanes.bulk.unknown: must be a table of options"),
    ("[lanes.bulk.unknown]\nfax = 'park'", "lanes.bulk.unknown.fax: must be 'email', 'sms' or"),
    ("[lanes.bulk.unknown]\nsms = 'drop'", "lanes.bulk.unknown.sms: must be 'park' or 'resend'"),
    ("[templates.unknown]\nx = 'drop'", "templates.unknown.x: must be 'park' or 'resend'"),
    ("[pools.fast]\nlanes = ['bulk']", "pools.fast.channel: is missing; set it"),
    ("[pools.sms]\nchannel = 'fax'", "pools.sms.channel: must be 'email', 'sms' or 'push'"),
    ("[pools.sms]\nconcurrency = 0", "pools.sms.concurrency: must be greater than or equal to 1"),
    ("[pools.sms]\nlanes = ['bulk', 'nromal']", "pools.sms.lanes: number 2 is not in [lanes]; did"),
    (
        "[channels.fax]\nproviders = ['x']\n[providers.x]\nuse = 'a:B'",
        "channels.fax: must be 'email', 'sms' or 'push'",
    ),
    ("[channels.sms]\nproviders = []", "channels.sms.providers: must list at least one"),
    (
        "[channels.sms]\ncountries = ['*']\nproviders = ['x']",
        "channels.sms.providers: number 1 is not in [providers]",
    ),
    ("[providers.x]\noptions = {a = 1}", "providers.x.use: is missing; set it"),
    ("[providers.x]\nuse = 'x'", "providers.x.use: write module:Class, such as providers.send"),
    *(
        (
            f"[providers.x]\nuse = 'x:X'\noptions = {{timeout = {seconds}}}",
            "providers.x.options.timeout: must be a number of seconds, written in the file, above"
            " 0 and at most 25: a call that outlasts",
        )
        for seconds in ("25.1", "inf", "nan", "0", "-1", "true", "'10'")
    ),
    (
        "[providers.x]\nuse = 'x:X'\noptions = {api_key = 'k'}",
        "providers.x.options: api_key: never in the file; name it under `secrets` instead",
    ),
    (
        "[providers.x]\nuse = 'x:X'\nsecrets = {api_key = 'SG.k'}",
        "providers.x.secrets.api_key: write the secret's name (capital letters, digits and _), nev",
    ),
    (
        "[providers.x]\nuse = 'x:X'\nsecrets = {api_key = 'NOTIFY_KEY'}",
        "providers.x.secrets.api_key: names that begin with NOTIFY_ are the service's options",
    ),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_is_one_line_with_its_key_and_its_fix(write: Write, text: str, line: str) -> None:
    """Each mistake of the table is told alone, by its key."""
    lines = refusal(write(text)).splitlines()
    assert len(lines) == 2, lines
    assert lines[0].endswith("notify.toml) has a mistake:")
    assert lines[1].startswith(f"  {line}")


def test_the_longest_call_is_over_well_before_its_claim(write: Write) -> None:
    """Though it first fetches a token; else another worker would take it for lost."""
    assert timedelta(seconds=2 * LONGEST_TIMEOUT) <= LEASE - timedelta(seconds=10)
    file = write(f"[providers.x]\nuse = 'x:X'\noptions = {{timeout = {LONGEST_TIMEOUT}}}")
    assert load(file, environ={}).providers["x"].options == {"timeout": LONGEST_TIMEOUT}


def test_every_mistake_is_told_at_once(write: Write) -> None:
    """Field mistakes, unknown names and broken references come in one error."""
    text = "[amqp]\nurll = 'x'\nheartbeat = 'x'\n[pools.sms]\nlanes = ['x']\n[nope]\na = 1\n"
    told = refusal(write(text), NOTIFY_STORE__URL="mysql://h", NOTIFY_POOL="x")
    assert "has 6 mistakes:" in told
    for part in ("amqp.urll", "amqp.heartbeat", "pools.sms.lanes", "nope", "NOTIFY_POOL:"):
        assert f"  {part}" in told
    assert "  store.url (environment NOTIFY_STORE__URL): " in told


@pytest.mark.parametrize("service", ["NOTIFY", "NOTIFY_METRICS", "NOTIFY_WEB_2"])
def test_what_kubernetes_says_of_a_service_is_no_option(service: str) -> None:
    """Beside a service that is named notify, each container finds such variables."""
    environ = {
        f"{service}_SERVICE_HOST": "10.96.0.7",
        f"{service}_SERVICE_PORT": "9100",
        f"{service}_SERVICE_PORT_HTTP_METRICS": "9100",
        f"{service}_PORT": "tcp://10.96.0.7:9100",
        f"{service}_PORT_9100_TCP": "tcp://10.96.0.7:9100",
        f"{service}_PORT_9100_TCP_PROTO": "tcp",
        f"{service}_PORT_9100_TCP_PORT": "9100",
        f"{service}_PORT_9100_TCP_ADDR": "10.96.0.7",
        f"{service}_PORT_53_UDP": "udp://[fd00::7]:53",
    }
    assert load(environ={**environ, "NOTIFY_AMQP__HEARTBEAT": "60"}).amqp.heartbeat == 60


@pytest.mark.parametrize("alias", ["NOTIFY", "NOTIFY_WEB_2"])
def test_what_docker_says_of_a_link_is_no_option(alias: str) -> None:
    """A link by the name of notify brings its name, its ports and its container's variables."""
    environ = {
        f"{alias}_NAME": "/shop/notify",
        f"{alias}_ENV_PYTHON_VERSION": "3.11",
        f"{alias}_ENV_NOTIFY_AMQP__URL": "x",
        f"{alias}_ENV_lang": "C.UTF-8",
        f"{alias}_PORT": "tcp://172.17.0.5:9100",
        f"{alias}_PORT_9100_TCP": "tcp://172.17.0.5:9100",
        f"{alias}_PORT_9100_TCP_START": "tcp://172.17.0.5:9100",
        f"{alias}_PORT_9100_TCP_END": "tcp://172.17.0.5:9109",
        f"{alias}_PORT_9100_TCP_ADDR": "172.17.0.5",
        f"{alias}_PORT_9100_TCP_PORT_START": "9100",
        f"{alias}_PORT_9100_TCP_PORT_END": "9109",
    }
    assert load(environ={**environ, "NOTIFY_AMQP__HEARTBEAT": "60"}).amqp.heartbeat == 60


@each_of(
    ("name", "hint"),
    [
        ("NOTIFY_AMPQ__URL", "did you mean NOTIFY_AMQP__URL?"),
        ("NOTIFY_AMQP__UR", "did you mean NOTIFY_AMQP__URL?"),
        ("NOTIFY_LANES__BULK__MAX_LENGHT", "did you mean NOTIFY_LANES__BULK__MAX_LENGTH?"),
        ("NOTIFY_PORT", "see config/notify.toml for all of them"),
        ("NOTIFY_METRICS__PORT", "did you mean NOTIFY_METRICS__PORTS?"),
        ("NOTIFY_NAME", "did you mean NOTIFY_AMQP?"),
        ("NOTIFY_SERVICE", "see config/notify.toml for all of them"),
        ("NOTIFY_ZZZ", "see config/notify.toml for all of them"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_one_that_is_meant(name: str, hint: str) -> None:
    """A misspelled variable would otherwise be ignored in silence."""
    assert refusal(None, **{name: "1"}).splitlines()[1:] == [
        f"  {name}: unknown option (environment); {hint}"
    ]


def test_broken_toml_is_told_with_its_line(write: Write) -> None:
    """The error names the file, the line and the column."""
    told = refusal(write("[amqp]\nheartbeat =\n"))
    assert "notify.toml is not valid TOML: " in told
    assert "line 2" in told


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    """Missing, a folder, or not UTF-8: the error says which, and names the file."""
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = '\xff'")
    assert "does not exist" in refusal(tmp_path / "missing.toml")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    assert "is not UTF-8 text (byte 5)" in refusal(binary)
    told = refusal(None, CREDENTIALS_DIRECTORY=str(tmp_path / "none"))
    assert told.startswith("$CREDENTIALS_DIRECTORY")


def test_no_value_is_ever_repeated(write: Write) -> None:
    """Whatever option holds a secret by mistake, the error does not show it."""
    wrong = f"'{CANARY}@/?#:{CANARY}'"
    rules = f"{{ {wrong} = {wrong} }}"
    text = f"""
        amqp = {{ url = {wrong}, heartbeat = {wrong}, tls = {wrong}, ca_file = [{wrong}] }}
        store = {{ url = {wrong} }}
        templates = {{ default_locale = {wrong}, folder = [{wrong}], unknown = {rules} }}
        contract = {wrong}
        log = {{ level = {wrong}, format = {wrong} }}
        lanes = {{ bulk = {wrong}, normal = {{ max_length = {wrong}, unknown = {rules} }} }}
        pools = {{ sms = {{ channel = {wrong}, lanes = [{wrong}], prefetch = {wrong} }} }}
        channels = {{ email = {{ providers = [{wrong}] }}, sms = {wrong} }}
        [providers]
        x = {{ use = {wrong}, options = {wrong}, secrets = {{ key = {wrong} }} }}
        y = {{ use = 'a:B', options = {{ api_key = {wrong} }}, secrets = {{ {wrong} = 'key' }} }}
    """
    told = refusal(write(text), NOTIFY_AMQP__CONFIRM_TIMEOUT=CANARY)
    assert "has 27 mistakes" in told
    assert CANARY not in told


@given(st.text(min_size=1))
def test_no_password_comes_out_of_a_refused_address(noise: str) -> None:
    """Any text around a password: refused without it, or accepted and shown without it."""
    for url in (f"pyamqp://u:{CANARY}{noise}@h/v", f"postgresql+psycopg://u:{noise}{CANARY}@h/d"):
        name = "NOTIFY_AMQP__URL" if url.startswith("pyamqp") else "NOTIFY_STORE__URL"
        assert CANARY not in shown_url(url)
        try:
            told = repr(load(environ={name: url}))
        except ConfigError as error:
            told = str(error)
        assert CANARY not in told


def test_addresses_are_never_printed_with_the_settings() -> None:
    """Neither repr, nor str, nor a dump as JSON shows a password."""
    settings = load(environ={"NOTIFY_AMQP__URL": f"pyamqp://u:{CANARY}@h:1//"})
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.amqp}"):
        assert CANARY not in text
    assert CANARY in settings.amqp.url.get_secret_value()


def test_a_secret_is_read_from_its_credential_and_else_from_the_environment(
    tmp_path: Path,
) -> None:
    """The credential is stronger; an empty one does not count."""
    (tmp_path / "KEY_A").write_text(f"{CANARY}\n")
    (tmp_path / "KEY_B").write_text("")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "KEY_A": "weak", "KEY_B": "from-env"}
    secrets = secrets_of(provider(a="KEY_A", b="KEY_B"), environ=environ)
    assert {name: each.get_secret_value() for name, each in secrets.items()} == {
        "a": CANARY,
        "b": "from-env",
    }
    assert CANARY not in repr(secrets)


def test_all_missing_secrets_are_named_at_once() -> None:
    """The error names the provider and each secret, and says where to put them."""
    with pytest.raises(ConfigError) as caught:
        secrets_of(provider(a="KEY_A", b="KEY_B", c="KEY_C"), environ={"KEY_B": "x", "KEY_C": ""})
    assert str(caught.value).startswith(
        "acme:Acme: no value for KEY_A, KEY_C; provide each as a file"
    )


def provider(**secrets: str) -> Any:
    """Return the settings of a provider with these secrets."""
    table = {"use": "acme:Acme", "secrets": secrets}
    return Settings.model_validate({"providers": {"acme": table}}).providers["acme"]


def test_a_pool_is_found_or_told_why_not() -> None:
    """An unknown pool is refused with a hint; one without a provider, with the option to set."""
    acme = {"providers": {"acme": {"use": "acme:Acme"}}}
    settings = Settings.model_validate({**acme, "channels": {"email": {"providers": ["acme"]}}})
    assert settings.pool("email").channel is Channel.EMAIL
    with pytest.raises(ConfigError, match="there is no pool 'emial'; did you mean email"):
        settings.pool("emial")
    with pytest.raises(ConfigError, match=r"set channels\.sms\.providers"):
        settings.pool("sms")


def test_settings_do_not_change_and_can_be_handed_to_another_process() -> None:
    """They are frozen, and survive pickling."""
    settings = load(EXAMPLE, environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.amqp.heartbeat = 3
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


def test_the_example_file_holds_exactly_the_defaults() -> None:
    """Loading it gives the defaults and the three example providers."""
    settings = load(EXAMPLE, environ={})
    assert settings.model_copy(update={each: {} for each in EXAMPLES}) == Settings()
    assert all(each.breaker == BreakerSettings() for each in settings.providers.values())
    assert list(settings.channels) == list(Channel)
    assert list(settings.providers) == ["sendgrid", "twilio", "fcm"]


def test_the_example_file_shows_every_option() -> None:
    """Every option of the model is there; one without a default value, as a comment."""
    text = EXAMPLE.read_text("utf-8")
    table = tomllib.loads(text)
    example = load(EXAMPLE, environ={})
    for section, field in Settings.model_fields.items():
        model = field.annotation
        entries = [table[section]]
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            entries = list(table[section].values())
            model = type(next(iter(getattr(example, section).values())))
        for option in model.model_fields:
            shown_in_all = all(option in entry for entry in entries)
            shown_once = any(option in entry for entry in entries) and section in EXAMPLES
            commented = f"\n# {option} = " in text
            assert shown_in_all or shown_once or commented, f"{section}.{option}"
    shown_breaker = table["providers"]["sendgrid"]["breaker"]
    assert set(shown_breaker) == set(BreakerSettings.model_fields)


def test_what_is_in_effect_tells_each_values_origin(tmp_path: Path, write: Write) -> None:
    """Values come in the model's order with their source, passwords left out."""
    (tmp_path / "NOTIFY_STORE__URL").write_text(f"postgresql+psycopg://u:{CANARY}@db/notify")
    file = write("[lanes.bulk]\nmax_length = 3\n[providers.x]\nuse = 'a:B'\noptions = {akey = 'k'}")
    environ = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "NOTIFY_AMQP__URL": f"pyamqp://u:{CANARY}@h:1//",
    }
    options = {each.key: each for each in effective(file, environ=environ)}
    told = {key: (each.value, each.origin.kind) for key, each in options.items()}
    assert told["amqp.url"] == ("pyamqp://…@h:1//", "environment")
    assert told["store.url"] == ("postgresql+psycopg://…@db/notify", "credential")
    assert told["lanes.bulk.max_length"] == ("3", "file")
    assert told["lanes.bulk.delivery_limit"] == ("20", "default")
    assert told["templates.folder"] == ("-", "default")
    assert told["providers.x.options.akey"] == ("[hidden]", "file")
