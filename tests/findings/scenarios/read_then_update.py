"""Carts of two articles from a few: a read opens the snapshot, updates of changed rows follow."""

from locust import task

import time

from sqlalchemy import ForeignKey, bindparam, insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "loadtest_read_article"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "loadtest_read_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey(Article.id))


articles = Article.__table__
TAKE_ONE = (
    update(articles).where(articles.c.id == bindparam("article")).values(stock=articles.c.stock - 1)
)


class ReadThenUpdate(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--rows", type=int, default=50, help="articles on sale")
        group.add_argument("--work", type=float, default=0.02, help="seconds of other work")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Article), [{"stock": 10**9} for _ in range(options.rows)])

    @task
    def buy(self):
        cart = self.random.sample(range(1, self.options.rows + 1), 2)
        with self.session("buy") as session:
            session.get(Article, cart[0])
            for article in cart:
                session.execute(TAKE_ONE, {"article": article})
            time.sleep(self.options.work)
            session.add(Order(article_id=cart[0]))
            session.commit()
