"""notify: deliver email, SMS and push requests published over AMQP."""

__version__ = "0.1.0"
