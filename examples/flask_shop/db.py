"""The engine of the shop, and the scoped_session that all of its code uses."""

from shop_data import settings
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine(settings.DATABASE_URL, **settings.pool_arguments())
Session = scoped_session(sessionmaker(engine, expire_on_commit=False))
