"""Drills of the receipts' path: a vendor posts events while a part of the path is down."""
