"""A team's first version: a Celery task that calls the SendGrid SDK."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Exchange, Queue
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail

from benchmarks.plain_queue import NAME

app = Celery("plain", broker=os.environ["BENCH_AMQP"])
app.conf.update(
    task_default_queue=NAME,
    task_queues=[Queue(NAME, Exchange(NAME), NAME, queue_arguments={"x-queue-type": "quorum"})],
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=4,
)
client = SendGridAPIClient("bench-key", host=os.environ["BENCH_PROVIDER"])


@app.task(name="plain.send_email", rate_limit=os.environ.get("BENCH_RATE_LIMIT"))
def send_email(to: str, subject: str, text: str) -> None:
    """Send one email."""
    client.send(
        Mail(
            from_email="no-reply@example.com",
            to_emails=to,
            subject=subject,
            plain_text_content=text,
        )
    )
