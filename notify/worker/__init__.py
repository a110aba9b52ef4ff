"""
One worker process: Celery and raw AMQP, start and stop, systemd, Prometheus.

All code that runs Celery, or that only a worker process needs, is here. Not here: the processing
of a message (`delivery`, `deadletters`), which does not depend on this package.
"""
