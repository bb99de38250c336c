"""Creates and fills the tables: python -m flask_shop."""

from shop_data.models import Base, fill

from flask_shop.db import Session, engine

Base.metadata.create_all(engine)
fill(Session)
Session.remove()
