"""The long look at a configuration, for `notify config check`: imports, secrets, file modes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from notify.errors import ConfigError
from notify.settings.finding import Finding, named
from notify.settings.fit import misfits, timeout_of
from notify.settings.mistakes import judge
from notify.settings.model import Settings
from notify.settings.secrets import missing_secrets
from notify.settings.sources import Tree, credential_files, read
from notify.settings.tls import ssl_options

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found. `settings` is None where there are mistakes that forbid loading."""

    file: Path | None
    settings: Settings | None
    mistakes: list[Finding]
    warnings: list[Finding]


def check(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Report:
    """
    Return every mistake and every doubtful point. Providers are imported, never built.

    Raises:
        ConfigError: The file cannot be read, or is no TOML.
    """
    tree = read(path, environ=environ)
    settings, mistakes = judge(tree)
    mistakes += misfits(tree)
    warnings = list(_readable_by_others(tree, environ))
    if settings is not None:
        mistakes += [*_missing_files(settings, tree), *_missing_secrets(settings, environ)]
        warnings += [*_unserved(settings, tree), *_unused(settings), *_never_slow(settings)]
    return Report(tree.file, settings, mistakes, warnings)


def _missing_files(settings: Settings, tree: Tree) -> Iterator[Finding]:
    try:
        ssl_options(settings.amqp)
    except ConfigError as error:
        key, _, text = str(error).partition(": ")
        yield Finding(key, text)
    folder = settings.templates.folder
    if folder is not None and not folder.is_dir():
        key = named(("templates", "folder"), tree)
        yield Finding(key, "no such folder; create it, or remove the line")


def _missing_secrets(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in _in_use(settings):
        for option, secret in missing_secrets(settings.providers[name], environ=environ):
            text = (
                f"no value for {secret}; give it as a file of that name in "
                "$CREDENTIALS_DIRECTORY, or as an environment variable"
            )
            yield Finding(f"providers.{name}.secrets.{option}", text)


def _in_use(settings: Settings) -> list[str]:
    return sorted({name for each in settings.channels.values() for name in each.providers})


def _unserved(settings: Settings, tree: Tree) -> Iterator[Finding]:
    served = {(pool.channel, lane) for pool in settings.pools.values() for lane in pool.lanes}
    for channel in settings.channels:
        for lane in settings.lanes:
            if (channel, lane) not in served:
                text = f"nobody consumes {channel}.{lane}; add the lane to a pool of this channel"
                yield Finding(f"lanes.{lane}", text)
    for name, pool in settings.pools.items():
        by_default = tree.origin(("pools", name, "channel")).kind == "default"
        if pool.channel not in settings.channels and not by_default:
            text = f"cannot start: channels.{pool.channel} names no provider"
            yield Finding(f"pools.{name}", text)


def _unused(settings: Settings) -> Iterator[Finding]:
    if not settings.channels:
        yield Finding("channels", "none has a provider, so nothing can be sent")
    for name in sorted(settings.providers.keys() - set(_in_use(settings))):
        yield Finding(f"providers.{name}", "no channel names it, so it is never used")

    named = {limit for provider in settings.providers.values() for limit in provider.limits}
    for name, limit in settings.limits.items():
        if limit.per is None and name not in named:
            yield Finding(f"limits.{name}", "no provider names it, so it limits nothing")


def _never_slow(settings: Settings) -> Iterator[Finding]:
    for name in _in_use(settings):
        provider = settings.providers[name]
        timeout = timeout_of(provider)
        if timeout is not None and provider.breaker.slow_call >= timeout:
            text = "not below the provider's timeout, so no call can be slow; lower it"
            yield Finding(f"providers.{name}.breaker.slow_call", text)


def _readable_by_others(tree: Tree, environ: Mapping[str, str]) -> Iterator[Finding]:
    for file in credential_files(environ):
        if _exposed(file):
            text = "readable by more than its owner; chmod 0400 it"
            yield Finding(f"credential {file.name}", text)
    for section in ("amqp", "store"):
        key = (section, "url")
        table = tree.values.get(section)
        url = table.get("url") if isinstance(table, dict) else None
        private = isinstance(url, str) and "@" in url and "://guest:guest@" not in url
        if not private or tree.origin(key).kind != "file" or tree.file is None:
            continue
        if tree.file.stat().st_mode & 0o004:
            name = f"NOTIFY_{section.upper()}__URL"
            text = f"a password in a file that everybody may read; move it to a credential {name}"
            yield Finding(f"{section}.url", text)


def _exposed(file: Path) -> bool:
    """Whether others may read it. With an ACL, as systemd sets it, the group bits are its mask."""
    mode = file.stat().st_mode
    return bool(mode & 0o007 or (mode & 0o070 and _ACL not in os.listxattr(file)))
