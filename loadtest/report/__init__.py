"""Reports: figures, pages, tables and exports; no Locust, gevent or SQLAlchemy."""
