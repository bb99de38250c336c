"""The preparation of a Locust process for its first run: database, tables, application."""
