"""A web shop with FastAPI and SQLAlchemy's asyncio extension."""
