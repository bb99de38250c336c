"""A login for Locust's web UI, as its documentation shows one."""

from locust import events

from typing import Any

from flask import redirect
from flask_login import UserMixin, login_user
from werkzeug import Response


class Person(UserMixin):
    """A user with a login."""

    id = "somebody"


@events.init.add_listener
def _add_login(environment: Any, web_ui: Any, **_: Any) -> None:
    web_ui.app.secret_key = "only for tests"
    web_ui.auth_args = {"username_password_callback": "/sign-in"}
    web_ui.login_manager.user_loader(lambda _: Person())

    @web_ui.app.route("/sign-in", methods=["POST"])
    def sign_in() -> Response:
        login_user(Person())
        return redirect(f"{environment.parsed_options.web_base_path}/pool")
