"""`notify web`: serve vendors, services and operators over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import click

from notify.cli.options.ready_file import ready_file_option
from notify.cli.starting import quick_imports
from notify.settings import load
from notify.telemetry import logs


@click.group()
def web() -> None:
    """Serve vendors, services and operators over HTTP.

    \b
    Examples:
      notify web api
      notify web console
      notify web receipts
    """


@web.command()
@ready_file_option("requests are accepted")
def receipts(*, ready: Callable[[], None]) -> None:
    """Receive vendors' receipts in the foreground: delivered, bounced, complained, ...

    It listens on receipts.listen and receipts.port, verifies each request with the keys under
    [providers.NAME.receipts], and publishes its receipts for `notify worker receipts`. While
    RabbitMQ is away it keeps them in the record. It has no key that can send.

    A vendor posts to `/receipts/NAME` below receipts.public_url; a reverse proxy adds TLS. The
    probes are /livez and /readyz. Recipients unsubscribe at `/u/TOKEN`.

    SIGTERM and Ctrl-C stop it: it answers the requests in flight, and exits with 0.

    \b
    Examples:
      notify web receipts
      curl -f http://127.0.0.1:8480/readyz
    """
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    # Starlette and uvicorn are needed by this command only.
    with quick_imports():
        from notify.web.receipts.process import run_receipts

    run_receipts(settings, ready=ready)


@web.command()
@ready_file_option("requests are accepted")
def api(*, ready: Callable[[], None]) -> None:
    """Accept notifications by HTTP in the foreground, for services that have no AMQP.

    It listens on api.listen and api.port. Each request needs a key of `notify key new`, which
    belongs to one source. A notification is answered with 202 once RabbitMQ has confirmed it, and
    with 503 while RabbitMQ does not take it. A reverse proxy adds TLS, or api.cert_file does.

    The description is at /v1/docs, and as OpenAPI at /v1/openapi.json; the probes are /livez and
    /readyz. It has no key of a provider.

    SIGTERM and Ctrl-C stop it: it answers the requests in flight, and exits with 0.

    \b
    Examples:
      notify web api
      curl -f http://127.0.0.1:8481/v1/templates -H "Authorization: Bearer $KEY"
    """
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    with quick_imports():
        from notify.web.api.process import run_api

    run_api(settings, ready=ready)


@web.command()
@ready_file_option("requests are accepted")
def console(*, ready: Callable[[], None]) -> None:
    """Serve the console, the web pages for operators, in the foreground.

    It listens on console.listen and console.port. Every page needs a sign-in: `notify user add`
    adds a user, [console.oidc] a single sign-on, [console.proxy] a trusted reverse proxy. Beyond
    this machine it needs console.public_url with https://, and a reverse proxy that adds TLS.

    SIGTERM and Ctrl-C stop it: it answers the requests in flight, and exits with 0.

    \b
    Examples:
      notify web console
      curl -I http://127.0.0.1:8490/sign-in
    """
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    with quick_imports():
        from notify.web.console import run_console

    run_console(settings, ready=ready)
