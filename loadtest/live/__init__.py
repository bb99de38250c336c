"""The displays of a run in progress: metrics and their exporter, the web pages."""
