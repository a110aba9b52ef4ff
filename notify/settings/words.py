"""The types of options: names, lists of names, and the table that contains them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _lane_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise ValueError("a lane's name is a-z, 0-9 and -, begins with a letter, at most 31 long")
    return name


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
        raise ValueError("a name is a-z, 0-9, - and _, begins with a letter, at most 31 long")
    return name


def _pool_name(name: str) -> str:
    if name in RESERVED_POOLS:
        raise ValueError(f"`notify worker {name}` {RESERVED_POOLS[name]}: choose another name")
    return _name(name)


def _limit_name(name: str) -> str:
    if name in RESERVED_LIMITS:
        raise ValueError("the service has limits of its own under this name: choose another")
    return _name(name)


def _source_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise ValueError("a source's name is a-z, 0-9, - and _, at most 63 long")
    return name


def is_secret_name(value: object) -> bool:
    """Whether a value is the name of a secret, and not a secret itself."""
    return isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", value) is not None


def _secret_name(name: str) -> str:
    if not is_secret_name(name):
        raise ValueError(
            "write the secret's name (capital letters, digits and _), never the secret itself"
        )
    if name.startswith("NOTIFY_"):
        raise ValueError("names that begin with NOTIFY_ are the service's options: choose another")
    return name


def _place(use: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", use):
        raise ValueError("write module:Class, such as providers.sendgrid:SendGrid")
    return use


def _not_secret(options: dict[str, Any]) -> dict[str, Any]:
    secrets = ", ".join(sorted(SECRET_OPTIONS & options.keys()))
    if secrets:
        raise ValueError(f"{secrets}: never in the file; name it under `secrets` instead")
    for name, value in options.items():
        if _has_user(value):
            shown = name if re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name) else "an option"
            raise ValueError(
                f"{shown}: contains an @: text before it is read as a user and password, and only"
                " text after it as the host; remove it, and name secrets under `secrets`"
            )
    return options


def _has_user(value: Any) -> bool:
    """Whether an address, or one in a list or table, may have a user or a misleading host."""
    if isinstance(value, str):
        return "://" in value and "@" in value
    if isinstance(value, dict):
        return any(map(_has_user, value.values()))
    return isinstance(value, list) and any(map(_has_user, value))


def listed(value: Any) -> Any:
    """Return a list from text with commas, so that an environment variable can set one."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


SECRET_OPTIONS = frozenset(
    {
        "api_key",
        "auth_token",
        "auth_tokens",
        "bearer",
        "bounce_key",
        "bounce_keys",
        "password",
        "private_key",
        "secret",
        "secret_access_key",
        "service_account",
        "session_token",
        "signing_keys",
        "token",
    }
)
"""Names of provider options that are secrets and therefore refused under `options`."""

DEAD_POOL = "dead"
"""The pool that archives dead letters; it needs no configuration."""

RECEIPTS_POOL = "receipts"
"""The pool that applies receipts and feedback; it needs no configuration."""

RESERVED_POOLS = {DEAD_POOL: "archives dead letters", RECEIPTS_POOL: "applies receipts"}
"""The pools that always exist, with what each does."""

RESERVED_LIMITS = frozenset({"api", "failover", "provider"})
"""The first part of the names of the service's own limits, as in `provider:sendgrid`."""

LaneName = Annotated[str, AfterValidator(_lane_name)]
LimitName = Annotated[str, AfterValidator(_limit_name)]
Name = Annotated[str, AfterValidator(_name)]
PoolName = Annotated[str, AfterValidator(_pool_name)]
Names = Annotated[list[str], BeforeValidator(listed)]
SomeNames = Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]
SourceName = Annotated[str, AfterValidator(_source_name)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
Place = Annotated[str, AfterValidator(_place)]
PlainOptions = Annotated[dict[str, Any], AfterValidator(_not_secret)]
Share = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """A table of the configuration: frozen, refuses unknown options, hides values in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
