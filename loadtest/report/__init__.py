"""What one reads after the runs: figures, a page, a table; no Locust, gevent or SQLAlchemy."""
