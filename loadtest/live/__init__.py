"""What you watch while it runs: metrics and their exporter, the web pages."""
