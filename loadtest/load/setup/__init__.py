"""The preparation of a Locust process and its clean-up: database, tables, application."""
