"""Writes a scenario for existing SQLAlchemy models: their tables, rows and tasks."""
