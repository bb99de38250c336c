"""What a Locust process prepares before its first run: database, tables, application."""
