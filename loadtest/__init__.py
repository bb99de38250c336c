"""A load tester for SQLAlchemy connection pools on MySQL and MariaDB."""

__version__ = "0.1.0"
