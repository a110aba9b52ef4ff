"""Encryption of personal data in rows, and the keyed hash that finds them again."""
