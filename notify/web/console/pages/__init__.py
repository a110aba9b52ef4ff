"""The handlers of the console's pages and actions, one module a subject."""
