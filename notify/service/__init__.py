"""
The composition root: settings in, wired parts out. Nothing else constructs across layers.

Each module wires one subject and is imported by itself, so that a process imports only what it
wires. Not here: decisions; a part decides by what it is given.
"""
