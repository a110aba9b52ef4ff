"""`notify send`: read requests, publish them, report what RabbitMQ confirmed."""
