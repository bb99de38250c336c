"""Creates and fills the tables of the shop: python -m shop."""

from shop.db import Session, engine
from shop.models import Article, Base

Base.metadata.create_all(engine)
if not Session.get(Article, 1):
    Session.add_all(Article(name=f"article {n}", stock=1_000_000) for n in range(1, 101))
    Session.commit()
Session.remove()
