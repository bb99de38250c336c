"""A flash sale: carts of two articles from the few that everybody wants.

Each customer takes the articles in the order they were clicked, so two customers can wait for each
other's row: the more transactions the pool lets in, the more locks and deadlocks there are.
"""

from locust import task

import time

from sqlalchemy import ForeignKey, bindparam, insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "loadtest_hot_article"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "loadtest_hot_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey(Article.id))


articles = Article.__table__
TAKE_ONE = (
    update(articles).where(articles.c.id == bindparam("article")).values(stock=articles.c.stock - 1)
)


class HotRow(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--hot-rows", type=int, default=50, help="articles everybody wants")
        group.add_argument("--hot-work", type=float, default=0.02, help="seconds the shop works")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Article), [{"stock": 10**9} for _ in range(options.hot_rows)])

    @task
    def buy(self):
        cart = self.random.sample(range(1, self.options.hot_rows + 1), 2)
        with self.session("buy") as session:
            session.get(Article, cart[0])
            for article in cart:
                session.execute(TAKE_ONE, {"article": article})
            time.sleep(self.options.hot_work)  # prices, vouchers, the payment's first step
            session.add(Order(article_id=cart[0]))
            session.commit()
