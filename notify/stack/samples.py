"""The sample notifications of `notify demo`: the messages to publish, and their expected ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from notify.contract import parse
from notify.errors import ConfigError, DecodeError
from notify.message import Channel, Status


class SampleOutcome(BaseModel):
    """How a sample ends: the status of each recipient, and whether it is a dead letter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status | None = None
    """The one recipient's status; None if the message never becomes a notification."""
    statuses: dict[Status, int] = Field(default_factory=dict)
    """The number of recipients by status, for a batch."""
    dead: bool = False
    """Whether the message is in the dead letters."""
    suppressed: bool = False
    """Whether the recipient is on the suppression list then."""

    @property
    def counts(self) -> dict[Status, int]:
        """The number of recipients by status."""
        return {self.status: 1} if self.status else self.statuses


class Sample(BaseModel):
    """One file of `examples/samples`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The file's name without `.json`."""
    about: str
    routing_key: str
    after: str | None = None
    """The sample that must have ended as expected before this one is published."""
    publish: dict[str, Any] | None = None
    """The body without the id, which is new in each run."""
    raw: str | None = None
    """The body as text, if it is not JSON."""
    expect: SampleOutcome

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.publish is None) == (self.raw is None):
            raise ValueError("a sample has either `publish` or `raw`")
        return self

    @property
    def channel(self) -> Channel:
        """The channel of the routing key."""
        return Channel(self.routing_key.partition(".")[0])

    @property
    def batch(self) -> bool:
        """Whether it goes to several recipients."""
        return self.publish is not None and isinstance(self.publish.get("to"), list)

    def body(self, message_id: UUID) -> bytes:
        """Return the body to publish, with an id of this run."""
        if self.publish is None:
            return (self.raw or "").encode()
        return json.dumps({**self.publish, "id": str(message_id)}, ensure_ascii=False).encode()


def load(folder: Path) -> list[Sample]:
    """
    Return every sample of a folder, in the order of their file names.

    Raises:
        ConfigError: There is none, or a file is not a sample; the text names the file.
    """
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stem)
    samples = [_read(path) for path in paths]
    if not samples:
        raise ConfigError(f"no sample (*.json) in {folder}; name another folder with --examples")
    first = {each.name for each in samples if each.after is None}
    for each in samples:
        if each.after is not None and each.after not in first:
            raise ConfigError(
                f"{folder / each.name}.json is after {each.after}, which is not a sample of this"
                " folder that is published first"
            )
    return samples


def _read(path: Path) -> Sample:
    try:
        content = parse(path.read_bytes())
        return Sample.model_validate({**content, "name": path.stem})
    except (DecodeError, ValidationError, TypeError, OSError) as error:
        raise ConfigError(f"{path} is not a sample: {error}") from error
