"""
Read models: what the CLI, the doctor and a web console show, each with its form as JSON.

Each module is one and is imported by itself, so that a command imports only what it shows. Nothing
here changes anything, prints, or knows a command line.
"""
