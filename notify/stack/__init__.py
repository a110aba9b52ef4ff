"""What `notify up` starts: a private broker beside the store, the sandbox and the worker pools."""
