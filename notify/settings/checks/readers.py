"""Checks of how vendors' receipts are verified: classes, options, secrets, the public address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError

from notify.errors import ConfigError
from notify.settings.checks.classes import named_class
from notify.settings.checks.finding import ConfigFinding, no_value, shown_key, table_in
from notify.settings.checks.provider_signature import argument_problems
from notify.settings.model import Settings
from notify.settings.receipts import ReaderSettings
from notify.settings.secrets import missing_secrets
from notify.settings.sources import Tree


def reader_mistakes(tree: Tree, environ: Mapping[str, str]) -> Iterator[ConfigFinding]:
    """Yield what prevents `notify web receipts` from starting, or from verifying any request."""
    readers = dict(_readers(tree))
    if readers and not table_in(tree.values, "receipts").get("public_url"):
        names = ", ".join(readers)
        yield ConfigFinding(
            shown_key(("receipts", "public_url"), tree),
            f"is missing, and the receipts of {names} need it: set the address that vendors reach,"
            " such as https://notify.example.com",
        )
    for name, reader in readers.items():
        key = ("providers", name, "receipts")
        for option, text in _misfits(reader):
            yield ConfigFinding(shown_key((*key, *option.split(".")), tree), text)
        for option, secret in missing_secrets(reader.secrets, environ=environ):
            yield ConfigFinding(shown_key((*key, "secrets", option), tree), no_value(secret))


def reader_doubts(settings: Settings, tree: Tree) -> Iterator[ConfigFinding]:
    """Yield what weakens the receipts."""
    url = settings.receipts.public_url
    if url is not None and urlsplit(url).scheme != "https":
        text = (
            "recipients' addresses cross the network unencrypted; set up TLS in the reverse proxy,"
            " and begin it with https"
        )
        yield ConfigFinding(shown_key(("receipts", "public_url"), tree), text)
    for name, provider in settings.providers.items():
        own = set(provider.secrets.values())
        if provider.receipts is None:
            continue
        for option, secret in provider.receipts.secrets.items():
            if secret in own:
                text = (
                    f"{secret} can also send: then the web process has a key that can send; use a"
                    " separate secret (docs/receipts.md)"
                )
                key = ("providers", name, "receipts", "secrets", option)
                yield ConfigFinding(shown_key(key, tree), text)


def _readers(tree: Tree) -> Iterator[tuple[str, ReaderSettings]]:
    """Yield the tables that are valid by themselves; the others are reported already."""
    for name, raw in table_in(tree.values, "providers").items():
        if isinstance(raw, dict) and "receipts" in raw:
            try:
                yield name, ReaderSettings.model_validate(raw["receipts"])
            except ValidationError:
                continue


def _misfits(reader: ReaderSettings) -> Iterator[tuple[str, str]]:
    try:
        factory = named_class(reader.use)
    except ConfigError as error:
        yield "use", str(error)
        return
    if not all(callable(getattr(factory, each, None)) for each in ("verify", "read")):
        yield "use", "does not read receipts: its class has no `verify` and `read`"
        return
    yield from argument_problems(factory, reader)
