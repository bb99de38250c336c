"""The shop's engine, and the scoped_session that all of its code uses."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine(
    os.environ["SHOP_DATABASE_URL"],
    pool_size=3,
    max_overflow=2,
    pool_timeout=5,
    connect_args={"ssl_disabled": True},
)
Session = scoped_session(sessionmaker(bind=engine, expire_on_commit=False))
