"""TLS to a real RabbitMQ and a real PostgreSQL, with a private authority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import amqp
import pytest
from sqlalchemy import text

from notify.errors import StoreError
from notify.message import Status
from notify.publisher import why
from notify.service.broker import open_broker
from notify.settings import AmqpSettings, Settings
from notify.stack.rabbitmq import RabbitMQNode, free_ports
from notify.store import Store
from notify.topology import Topology, apply
from notify.worker.engine import create_app
from tests.support.authority import Authority
from tests.support.erlang import evaluate
from tests.support.patience import PATIENCE
from tests.support.rig import surroundings, until
from tests.support.services import PostgreSQL, Vhosts

_LISTEN = """
begin
    {{ok, _}} = application:ensure_all_started(ssl),
    [rabbit_networking:start_ssl_listener({{"127.0.0.1", Port}}, [
        {{cacertfile, "{ca}"}}, {{certfile, Certificate}}, {{keyfile, Key}} | Options], 1)
     || {{Port, Certificate, Key, Options}} <- [{listeners}]]
end.
"""


@dataclass(frozen=True, slots=True)
class Doors:
    """A broker's ports, and the certificate files for clients."""

    url: str
    trusted: Path
    stranger: Path
    server: tuple[Path, Path]
    expired: tuple[Path, Path]
    client: tuple[Path, Path]
    impostor: tuple[Path, Path]
    ports: dict[str, int] = field(default_factory=dict)

    def settings(self, door: str = "good", *, host: str = "127.0.0.1", **amqp: object) -> Settings:
        """Return the settings of a client of one of the ports."""
        url = self.url.replace("127.0.0.1", host)
        port = self.ports.get(door)
        if port is not None:
            url = url.replace(f":{self.ports['plain']}/", f":{port}/")
        options = {"url": url, "tls": True, "ca_file": self.trusted, **amqp}
        return Settings(amqp=AmqpSettings.model_validate(options))


@pytest.fixture(scope="module")
def doors(
    rabbitmq: RabbitMQNode, vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory
) -> Doors:
    """Ports with a valid certificate, an expired one, and one that requires the client's."""
    folder = tmp_path_factory.mktemp("tls")
    ours, others = Authority(folder), Authority(folder, "others")
    good, expired = ours.issue("broker"), ours.issue("expired", expired=True)
    asks = "[{verify, verify_peer}, {fail_if_no_peer_cert, true}]"
    ports = dict(zip(("good", "expired", "asking"), free_ports(3), strict=True))
    rows = [
        (ports["good"], *good, "[]"),
        (ports["expired"], *expired, "[]"),
        (ports["asking"], *good, asks),
    ]
    listeners = ",".join(
        f'{{{port}, "{public}", "{key}", {more}}}' for port, public, key, more in rows
    )
    evaluate(rabbitmq, _LISTEN.format(ca=ours.file, listeners=listeners))
    return Doors(
        url=vhosts.fresh_url(),
        trusted=ours.file,
        stranger=others.file,
        server=good,
        expired=expired,
        client=ours.issue("client"),
        impostor=others.issue("impostor"),
        ports={**ports, "plain": rabbitmq.port},
    )


def published(settings: Settings) -> amqp.Connection:
    """Connect as publishers and commands do."""
    return open_broker(settings)


def consumed(settings: Settings) -> amqp.Connection:
    """Connect as a worker's consumer does."""
    connection = create_app(settings, queues=[]).connection_for_read()
    return connection.connect()


WAYS = {"publisher": published, "worker": consumed}
Ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
NOT_TRUSTED = "its certificate is not trusted: "
REFUSALS: dict[str, tuple[Callable[[Doors], Settings], str]] = {
    "a broker of another authority": (
        lambda doors: doors.settings(ca_file=doors.stranger),
        NOT_TRUSTED + "self-signed certificate in certificate chain",
    ),
    "a broker that none of the system's authorities knows": (
        lambda doors: doors.settings(ca_file=None),
        NOT_TRUSTED + "self-signed certificate in certificate chain",
    ),
    "a broker of another name": (
        lambda doors: doors.settings(host="localhost"),
        NOT_TRUSTED + "Hostname mismatch, certificate is not valid for 'localhost'",
    ),
    "a broker whose certificate has expired": (
        lambda doors: doors.settings("expired"),
        NOT_TRUSTED + "certificate has expired",
    ),
    "a broker's port without TLS": (
        lambda doors: doors.settings("plain"),
        "it does not speak TLS on this port",
    ),
    "a client without TLS": (
        lambda doors: doors.settings("good", tls=False, ca_file=None),
        "closed",
    ),
    "a client without a certificate": (lambda doors: doors.settings("asking"), "our certificate"),
    "a client of another authority": (
        lambda doors: doors.settings(
            "asking", cert_file=doors.impostor[0], key_file=doors.impostor[1]
        ),
        "our certificate",
    ),
}


def reset(error: BaseException) -> bool:
    """Return whether the broker disconnected before it was read."""
    return isinstance(error, ConnectionError)


@Ways
@pytest.mark.parametrize("what", REFUSALS)
def test_a_broker_is_refused_in_clear_words(
    doors: Doors, what: str, way: Callable[[Settings], amqp.Connection]
) -> None:
    """No byte is sent through a wrong connection, not even the password."""
    settings, words = REFUSALS[what]
    with pytest.raises((OSError, amqp.AMQPError)) as caught:
        way(settings(doors)).close()
    # Where the broker hangs up before it was read, the kernel may say no more than that.
    assert words in why(caught.value) or (what.startswith("a client") and reset(caught.value))


@Ways
def test_a_broker_is_reached_with_a_client_certificate(
    doors: Doors, way: Callable[[Settings], amqp.Connection]
) -> None:
    """It requires one, and accepts that of the same authority."""
    settings = doors.settings("asking", cert_file=doors.client[0], key_file=doors.client[1])
    with way(settings) as connection:
        assert connection.channel().queue_declare("", exclusive=True)


def test_a_worker_speaks_tls_to_broker_and_database(
    doors: Doors, postgresql: PostgreSQL, topology: Topology, tmp_path: Path
) -> None:
    """With its own certificate; so do its relays, and the commands."""
    settings = doors.settings("asking", cert_file=doors.client[0], key_file=doors.client[1])
    with open_broker(settings) as connection:
        apply(topology, connection)
    with postgresql.tls(*doors.server), postgresql.database() as store_url:
        verified = f"{store_url}?sslmode=verify-full&sslrootcert={doors.trusted}"
        plain = doors.url
        with surroundings(tmp_path, broker_url=plain, store_url=verified) as rig:
            secure = settings.amqp.url.get_secret_value()
            files = {"ca": doors.trusted, "cert": doors.client[0], "key": doors.client[1]}
            options = "".join(f'{name}_file = "{file}"\n' for name, file in files.items())
            config = rig.config.read_text().replace(plain, secure)
            config = config.replace("[store]", f"tls = true\n{options}[store]")
            rig.config.write_text(config + "[lanes.normal]\nfirst_wait = 0.2\nlongest_wait = 0.2\n")
            with rig.worker():
                id_ = rig.request(to="flaky@sandbox.test")
                until(lambda: rig.status(id_) is Status.SENT)
                with rig.store.reading() as connection:
                    seen: list[bool] = list(connection.execute(text(CONNECTIONS)).scalars())
            assert len(seen) >= 2
            assert set(seen) == {True}
            assert rig.notify("topology", "diff").code == 0
            rig.config.write_text(config.replace(str(doors.trusted), str(doors.stranger)))
            refused = rig.notify("topology", "diff")
            assert "its certificate is not trusted" in refused.err
            process = rig.start("second")
            log = rig.folder / "second.log"
            until(lambda: log.exists() and "its certificate is not trusted" in log.read_text())
            process.terminate()
            process.wait(PATIENCE)


CONNECTIONS = """
SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = current_database()
"""
REFUSED_STORES: dict[str, tuple[Callable[[str, Doors], str], str]] = {
    "another authority": (
        lambda url, doors: f"{url}?sslmode=verify-full&sslrootcert={doors.stranger}",
        "its certificate is not trusted",
    ),
    "another name": (
        lambda url, doors: f"{url}?sslmode=verify-full&sslrootcert={doors.trusted}".replace(
            "@127.0.0.1", "@localhost"
        ),
        "its certificate is for another host",
    ),
    "no such file": (
        lambda url, doors: f"{url}?sslmode=verify-full&sslrootcert={doors.trusted}.gone",
        "sslrootcert names no file",
    ),
}


def test_a_database_is_refused_in_clear_words(doors: Doors, postgresql: PostgreSQL) -> None:
    """With a wrong authority, a wrong name, an expired certificate, or without TLS."""

    def refusal(url: str) -> str:
        store = Store.open(url)
        with pytest.raises(StoreError) as caught:
            store.revision()
        store.close()
        return str(caught.value)

    with postgresql.database() as plain:
        verified = f"{plain}?sslmode=verify-full&sslrootcert={doors.trusted}"
        assert "it does not speak TLS" in refusal(verified)
        with postgresql.tls(*doors.server):
            for what, (url, words) in REFUSED_STORES.items():
                assert words in refusal(url(plain, doors)), what
        with postgresql.tls(*doors.expired):
            assert "its certificate is not trusted" in refusal(verified)
