"""The steps that build and change the record's tables, run by Alembic."""
