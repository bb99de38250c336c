"""A worker with Celery that has the orders of the shops paid."""
