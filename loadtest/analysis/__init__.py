"""What the numbers mean: pure values from runs, without Locust, gevent or SQLAlchemy."""
