"""The SQL of the suppression list."""
