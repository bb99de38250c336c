"""The application: gunicorn --threads 16 flask_shop.app:app."""

from flask import Flask
from shop_data.settings import chosen_mistake

from flask_shop.db import Session
from flask_shop.routes import routes

app = Flask(__name__)
mistake = chosen_mistake("flask_shop")
# The first route of a path answers, so the routes of a mistake come before the others.
if mistake:
    app.register_blueprint(mistake.routes)
app.register_blueprint(routes)


@app.teardown_appcontext
def remove_session(_):
    """Give the connection of the request back."""
    if not getattr(mistake, "KEEPS_SESSION", False):
        Session.remove()
