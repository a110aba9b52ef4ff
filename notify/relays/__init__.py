"""
Threads that publish what the record holds to RabbitMQ: due notifications, and producers' events.

The SQL that takes and marks the rows is in `store.relays`.
"""
