"""SQL of `notify.relays`: rows that wait to be published, leased by one relay at a time."""
