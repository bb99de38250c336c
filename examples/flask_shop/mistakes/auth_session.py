"""The check of the token keeps a session of its own until the end of the request."""

from flask import Blueprint, abort, g, request
from shop_data.models import Customer
from sqlalchemy import select

from flask_shop import routes as shop
from flask_shop.db import Session

routes = Blueprint("auth_session", __name__)


@routes.before_request
def check_token():
    g.auth = Session.session_factory()
    token = request.headers.get("X-Token")
    if not g.auth.scalar(select(Customer).where(Customer.token == token)):
        abort(401)


@routes.teardown_request
def close_session(_):
    g.auth.close()


@routes.post("/orders")
def order():
    return shop.order()
