"""A producer that is not ours: Debian's `amqp-publish`, built on the C library rabbitmq-c."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

from notify.message import Status
from tests.support.rig import surroundings, until
from tests.support.services import missing


def test_a_plain_json_body_with_a_content_type_is_delivered(
    tmp_path: Path, broker_url: str
) -> None:
    """No header, no message id, no library of ours: a body, a key and a content type."""
    program = shutil.which("amqp-publish")
    if program is None:
        missing("amqp-publish is not installed: apt-get install amqp-tools")
    id_ = uuid4()
    body = json.dumps(
        {"id": str(id_), "to": "ada@example.com", "subject": "From C", "text": "Hello."}
    )
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig, rig.worker():
        options = ["-C", "application/json", "-p", "-b", body]
        address = broker_url.replace("pyamqp://", "amqp://")
        subprocess.run(
            [program, f"--url={address}", "-e", "notify", "-r", "email.normal.shop", *options],
            check=True,
            timeout=30,
        )
        until(lambda: rig.status(id_) is Status.SENT)
    (message,) = rig.sandbox.messages()
    assert message.subject == "From C"
