"""TLS to RabbitMQ, as arguments of py-amqp."""

from __future__ import annotations

import ssl
from typing import Any, Literal
from urllib.parse import urlsplit

from notify.errors import ConfigError
from notify.settings.backends import AmqpSettings


def ssl_options(amqp: AmqpSettings) -> dict[str, Any] | Literal[False]:
    """
    Return the value for `ssl=` of py-amqp and kombu, and for Celery's `broker_use_ssl`.

    The broker's certificate and host name are always checked. py-amqp checks the name only if
    `server_hostname` is given, and sends it as SNI; a bare `ssl=True` checks the chain alone.

    Raises:
        ConfigError: A certificate or key file does not exist.
    """
    if not amqp.tls:
        return False
    files = {"ca_certs": "ca_file", "certfile": "cert_file", "keyfile": "key_file"}
    options: dict[str, Any] = {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": urlsplit(amqp.url.get_secret_value()).hostname,
    }
    for name, setting in files.items():
        file = getattr(amqp, setting)
        if file is not None and not file.is_file():
            raise ConfigError(f"amqp.{setting}: no such file; correct the path")
        if file is not None:
            options[name] = str(file)
    return options
