"""
One worker process: Celery and raw AMQP, start and stop, systemd, Prometheus.

All code that touches Celery, or that runs because the process is a worker, is here. Not here: the
processing of a message (`delivery`, `deadletters`), which does not depend on this package.
"""
