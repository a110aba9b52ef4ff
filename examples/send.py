"""
Publish one notification from Python, and wait until RabbitMQ has confirmed it.

    AMQP_URL=pyamqp://guest:guest@127.0.0.1:5672// python examples/send.py anna@example.org
"""

from __future__ import annotations

import json
import os
import sys
from uuid import uuid4

from notify.publisher import Outgoing, Publisher


def main() -> None:
    """Publish a mail to the address on the command line, and print its id."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/send.py EMAIL_ADDRESS")
    message_id = str(uuid4())
    request = {
        "id": message_id,
        "to": sys.argv[1],
        "subject": "Your parcel",
        "text": "It is on its way.",
    }
    url = os.environ.get("AMQP_URL", "pyamqp://guest:guest@127.0.0.1:5672//")
    with Publisher(url) as publisher:
        # Raises PublishError unless the broker has taken responsibility. After an error publish
        # again with the same id: the same id is delivered once.
        publisher.publish(
            Outgoing(
                body=json.dumps(request).encode(),
                routing_key="email.normal.shop",
                message_id=message_id,
            )
        )
    sys.stdout.write(f"{message_id}\n")


if __name__ == "__main__":
    main()
