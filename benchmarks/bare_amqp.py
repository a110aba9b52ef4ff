"""The upper bound: a bare py-amqp consumer that posts over a kept-alive connection."""

from __future__ import annotations

import json
import os
from typing import Any

import amqp
import urllib3

from benchmarks.load import QUEUE, connect

HEADERS = {"Authorization": "Bearer bench-key", "Content-Type": "application/json"}


def main() -> None:
    """Consume until killed."""
    pool = urllib3.PoolManager(retries=False)
    url = os.environ["BENCH_PROVIDER"] + "/v3/mail/send"
    connection = connect(os.environ["BENCH_AMQP"])
    channel = connection.channel()
    channel.basic_qos(0, 100, a_global=False)

    def take(message: Any) -> None:
        request = json.loads(message.body)
        mail = {
            "personalizations": [{"to": [{"email": request["to"]}]}],
            "from": {"email": "no-reply@example.com"},
            "subject": request["subject"],
            "content": [{"type": "text/plain", "value": request["text"]}],
        }
        pool.request("POST", url, body=json.dumps(mail), headers=HEADERS)
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume(QUEUE, callback=take)
    while True:
        try:
            connection.drain_events(timeout=5)
        except TimeoutError:
            continue
        except amqp.ConnectionError:
            return


if __name__ == "__main__":
    main()
