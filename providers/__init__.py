"""Vendors, one a file: each translates a rendered message into its vendor's request."""
