"""The operations of the shop: list articles, buy one."""

import time

from sqlalchemy import select, update

from shop.db import Session
from shop.models import Article, Order


def newest(number):
    """The newest articles."""
    return Session.scalars(select(Article).order_by(Article.id.desc()).limit(number)).all()


def buy(article_id):
    """Order one piece of an article, if it is in stock."""
    taken = update(Article).where(Article.id == article_id, Article.stock > 0)
    if Session.execute(taken.values(stock=Article.stock - 1)).rowcount:
        time.sleep(0.05)  # stands for a call to the bank
        Session.add(Order(article_id=article_id))
    Session.commit()
