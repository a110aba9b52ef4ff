"""
One worker process: Celery and raw AMQP, start and stop, systemd, Prometheus.

All code that touches Celery, or that runs because the process is a worker, is here. What a worker
does with a message is in `delivery` and `deadletters`, which know nothing of this package.
"""
