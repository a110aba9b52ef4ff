"""`notify status`: the overview as a table, JSON, or a screen that refreshes itself."""
