"""
Rules of delivery as pure functions and values: breaker, rate limit, caps, holds, retry, back-off.

Nothing here reads a clock, draws a random number, logs, or knows the store: all of it is passed in.
"""
