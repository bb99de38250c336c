"""The engine of the worker, and its sessions."""

from shop_data import settings
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine(settings.DATABASE_URL, **settings.pool_arguments())
Session = sessionmaker(engine, expire_on_commit=False)
