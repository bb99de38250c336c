"""What one reads after the runs: figures, a page and a table. Loads no Locust, gevent or SQLAlchemy."""
