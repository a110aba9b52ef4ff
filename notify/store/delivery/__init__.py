"""SQL of `notify.delivery`: claims, outcomes, and work handed over to another row or time."""
