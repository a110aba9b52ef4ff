"""
The vendors, one module or package each: translate a rendered message into the vendor's request.

Not here: retries, limits, circuits, logs or records. Vendors share `_shared` and nothing else.
"""
