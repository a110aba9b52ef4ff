"""Options and arguments that several commands share, and the parsing of their text."""
