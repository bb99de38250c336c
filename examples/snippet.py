"""The engine and the session of many applications: a mapping of settings, and a huge pool."""

import os
from urllib.parse import urlsplit

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = None


def get_session(settings):
    global engine
    url = "mysql+pymysql://%(user)s:%(pass)s@%(host)s:%(port)s/%(dbname)s" % settings
    engine = create_engine(url, pool_size=3000, max_overflow=-1)
    return scoped_session(sessionmaker(bind=engine))


def settings_from(url):
    parts = urlsplit(url)
    return {
        "user": parts.username,
        "pass": parts.password,
        "host": parts.hostname,
        "port": parts.port or 3306,
        "dbname": parts.path.removeprefix("/"),
    }


settings = settings_from(os.environ["LOADTEST_DATABASE_URL"])
Session = get_session(settings)
