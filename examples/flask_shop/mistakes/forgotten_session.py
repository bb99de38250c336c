"""No session is removed at the end of a request, so each thread keeps a connection."""

from flask import Blueprint

routes = Blueprint("forgotten_session", __name__)
KEEPS_SESSION = True
