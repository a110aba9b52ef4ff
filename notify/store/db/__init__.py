"""
Reaching the database: engine, sessions, schema revision, its clock, and what its errors mean.

Nothing here knows what is stored.
"""
