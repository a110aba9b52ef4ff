"""`notify send`: read requests, publish them, report each confirm of RabbitMQ."""
