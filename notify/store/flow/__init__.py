"""SQL of `notify.flow`: circuits, rate limits, bookings, holds and caps that all workers share."""
