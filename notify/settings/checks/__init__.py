"""
Everything that can be wrong with a configuration, for `notify config check` and at start.

The options themselves are in `settings.model`; nothing here changes a value.
"""
