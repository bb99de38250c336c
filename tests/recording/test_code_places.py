"""The place of a checkout: the first line of the application on its stack."""

from __future__ import annotations

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import sqlalchemy.orm
from greenlet import greenlet
from sqlalchemy.util import greenlet_spawn

import loadtest
from loadtest.model.place_use import OUTSIDE_APPLICATION
from loadtest.pool.numbered_names import NumberedNames
from loadtest.recording.application_frames import first_of_application
from loadtest.recording.code_places import MOST_PLACES, CodePlaces, file_name
from tests.recording.recorded import finished

DRIVER = "/venv/lib/python3.11/site-packages/asyncpg/pool.py"


def compiled(path: str, module: str = "shop.orders", name: str = "customer_with") -> Any:
    """A function of a file that calls another; its call is in line 2."""
    code = compile(f"def {name}(call):\n    return call()\n", path, "exec")
    values: dict[str, Any] = {"__name__": module}
    exec(code, values)
    return values[name]


def compiled_coroutine(path: str, module: str = "shop.orders", name: str = "customer_with") -> Any:
    """A coroutine function of a file that awaits another; its await is in line 2."""
    code = compile(f"async def {name}(call):\n    return await call()\n", path, "exec")
    values: dict[str, Any] = {"__name__": module}
    exec(code, values)
    return values[name]


def alone(path: str, module: str, name: str = "customer_with") -> FrameType:
    """The frame of line 2 of a function whose stack has no other frame: that of a generator."""
    values: dict[str, Any] = {"__name__": module}
    exec(compile(f"def {name}():\n    yield\n", path, "exec"), values)
    generator = values[name]()
    next(generator)
    frame: FrameType = generator.gi_frame
    return frame


def place_of(frame: FrameType) -> str:
    places = CodePlaces("/site")
    return places.names.name(places.number_of(first_of_application(frame, packages=True)))


def place() -> str:
    """The place of a checkout in the function that calls this."""
    places = CodePlaces("/site")
    return places.names.name(places.number(1))


class TestFile:
    """Files have names that tell no path outside of the application."""

    @pytest.mark.parametrize(
        ("path", "module", "expected"),
        [
            ("/site/shop/orders.py", "shop.orders", "shop/orders.py"),
            ("/elsewhere/src/shop/orders.py", "shop.orders", "shop/orders.py"),
            ("/site/shop/__init__.py", "shop", "shop/__init__.py"),
            ("/elsewhere/shop/api/__init__.py", "shop.api", "shop/api/__init__.py"),
            ("/site/tools/clean.py", "__main__", "tools/clean.py"),
            ("tools/clean.py", "__main__", "tools/clean.py"),
            ("/home/me/clean.py", "__main__", "clean.py"),
            ("/home/me/models.py", "models", "models.py"),
            ("/home/me/plugin.so", "loaded_plugin", "loaded_plugin"),
            ("/home/me/secret/shop.py", "other.name", "shop.py"),
            ("<string>", "__main__", "__main__"),
        ],
    )
    def test_its_name(self, path: str, module: str, expected: str) -> None:
        assert file_name(path, module, "/site") == expected

    def test_the_root_is_no_folder_of_an_application(self) -> None:
        assert file_name("/home/me/clean.py", "__main__", os.sep) == "clean.py"


class TestStack:
    """The frames of libraries are passed over."""

    def test_the_innermost_line_of_the_application_counts(self) -> None:
        inner, outer = compiled("/site/shop/orders.py"), compiled("/site/shop/routes.py", "shop.r")
        assert outer(lambda: inner(place)) == "shop/orders.py:2 customer_with"

    @pytest.mark.parametrize(
        "path",
        [
            "/venv/lib/python3.11/site-packages/flask_sqlalchemy/session.py",
            "/usr/lib/python3/dist-packages/django/db/utils.py",
            json.__file__,
            sqlalchemy.orm.__file__,
            "<frozen importlib._bootstrap>",
            "<string>",
        ],
    )
    def test_libraries_are_passed_over(self, path: str) -> None:
        library, own = compiled(path, "library"), compiled("/site/shop/orders.py")

        def through_library() -> str:
            found: str = library(place)
            return found

        assert own(partial(library, place)) == "shop/orders.py:2 customer_with"
        assert through_library().startswith("test_code_places.py:")

    def test_an_example_is_an_application_inside_of_the_installed_package(self) -> None:
        path = Path(loadtest.__file__).parent / "examples" / "fastapi_shop" / "orders.py"
        example = compiled(str(path), "fastapi_shop.orders")
        assert example(place) == "fastapi_shop/orders.py:2 customer_with"

    def test_a_program_without_a_file_is_an_application(self) -> None:
        assert compiled("<string>", "__main__")(place) == "__main__:2 customer_with"

    def test_an_installed_application_counts_if_there_is_nothing_else(self) -> None:
        path = "/venv/lib/python3.11/site-packages/ckan/model.py"
        assert place_of(alone(path, "ckan.model")) == "ckan/model.py:2 customer_with"
        assert compiled(path)(place).startswith("test_code_places.py:")

    def test_a_stack_of_python_alone_has_no_place(self) -> None:
        assert place_of(alone(json.__file__, "json")) == OUTSIDE_APPLICATION

    def test_a_greenlet_of_sqlalchemy_continues_in_its_parent(self) -> None:
        driver, own = compiled(DRIVER), compiled_coroutine("/site/shop/orders.py")
        found = finished(own(partial(greenlet_spawn, driver, place)))
        assert found == "shop/orders.py:2 customer_with"

    def test_another_greenlet_does_not_continue_in_its_parent(self) -> None:
        driver, own = compiled(DRIVER, "asyncpg.pool"), compiled("/site/shop/orders.py")
        found = own(greenlet(partial(driver, place)).switch)
        assert found == "asyncpg/pool.py:2 customer_with"

    def test_a_stack_ends_at_the_event_loop(self) -> None:
        driver = compiled(DRIVER, "asyncpg.pool")
        library = compiled_coroutine("/venv/lib/python3.11/site-packages/starlette/routing.py")
        found = finished(library(partial(greenlet_spawn, driver, place)))
        assert found == "asyncpg/pool.py:2 customer_with"

    def test_a_deleted_working_directory_changes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        places = CodePlaces()
        frame = alone("/site/clean.py", "__main__")
        assert places.names.name(places.number_of(frame)) == "clean.py:2 customer_with"


class TestKnownWays:
    """A way through libraries that was seen before leads to the place of this stack."""

    def test_mixed_stacks_have_the_places_that_they_have_alone(self) -> None:
        known = CodePlaces("/site")

        def names() -> tuple[str, str]:
            """The place by known ways, and without."""
            alone = CodePlaces("/site")
            return known.names.name(known.number(1)), alone.names.name(alone.number(1))

        libraries = [compiled(f"/venv/lib/site-packages/orm/{name}.py") for name in "abcd"]
        owns = [compiled(f"/site/shop/{name}.py", f"shop.{name}") for name in "xyz"]
        stacks = [
            partial(own, partial(inner, partial(outer, names)))
            for own, inner, outer in itertools.product(owns, libraries, libraries)
        ]
        stacks += [partial(own, names) for own in owns]
        stacks += [
            partial(one, partial(libraries[0], partial(two, partial(libraries[1], names))))
            for one, two in itertools.permutations(owns, 2)
        ]
        for stack in [*stacks, *reversed(stacks), *stacks[::7]]:
            found, expected = stack()
            assert found == expected

    def test_lines_of_coroutines_are_told_apart(self) -> None:
        places, driver = CodePlaces("/site"), compiled(DRIVER)
        owns = [compiled_coroutine(f"/site/shop/{name}.py", f"shop.{name}") for name in "xy"]
        calls = [owns[number] for number in (0, 0, 1, 0, 1, 1)]
        found = [
            finished(one(partial(greenlet_spawn, driver, partial(places.number, 0))))
            for one in calls
        ]
        expected = [f"shop/{name}.py:2 customer_with" for name in "xxyxyy"]
        assert [places.names.name(number) for number in found] == expected


class TestNames:
    """Two hundred places have names of their own."""

    def test_one_line_has_one_number(self) -> None:
        places = CodePlaces("/site")
        frames = [alone("/site/shop/orders.py", "shop.orders") for _ in range(3)]
        assert len({places.number_of(one) for one in [*frames, *frames]}) == 1

    def test_further_places_have_one_name(self) -> None:
        places = CodePlaces("/site")
        frames = [alone("/site/a.py", "a", f"f{n}") for n in range(MOST_PLACES + 3)]
        names = [places.names.name(places.number_of(one)) for one in frames]
        assert names[MOST_PLACES - 1] == f"a.py:2 f{MOST_PLACES - 1}"
        assert set(names[MOST_PLACES:]) == {"(other places)"}

    def test_threads_that_ask_at_once_get_numbers_of_their_own(self) -> None:
        names = NumberedNames(1000, "rest")
        with ThreadPoolExecutor(8) as threads:
            asked = [f"name {n % 500}" for n in range(4000)]
            numbers = list(threads.map(names.number, asked))
        assert [names.name(number) for number in numbers] == asked
