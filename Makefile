PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
WORKERS ?= 2
# Tests wait more than they compute, so run two per core.
JOBS ?= $(shell echo $$((2 * $$(nproc))))
ALONE = $(VENV)/bin/python -m pytest
PYTEST = $(ALONE) -n $(JOBS) --dist loadfile

# Without bytecode, each process of a test would compile its modules again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fixtures lint docs bench up clean python packages-run packages-test packages-postgresql

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.test ## install everything, including the tools for the tests
	@echo "Next: . $(VENV)/bin/activate, then loadtest demo"

demo: $(VENV)/.run ## compare pools on a private server, about three minutes
	$(VENV)/bin/loadtest demo

test: lint ## lint, then the quick tests
	-@PYTHON='$(PYTHON)' tools/system-packages postgresql # without it, only its tests are skipped
	$(PYTEST) -m 'not long'

test-all: $(VENV)/.test $(OLDEST)/.test packages-postgresql ## the long tests, tests of pools on the oldest SQLAlchemy, and tests on MariaDB 11.8 and MySQL 9.7
	$(PYTEST) --live -m '(long or provoked) and not alone'
	$(OLDEST)/bin/python -m pytest -n $(JOBS) --dist loadfile tests/pool tests/recording
	$(ALONE) --live -m alone # other work on the machine would change what these tests see
	servers=$$(tools/database-servers) && echo "$$servers" | while read -r name version program; do \
	  echo "On $$name $$version:"; LOADTEST_SERVER="$$program" $(PYTEST) -m database || exit 1; \
	done

fixtures: $(VENV)/.test ## renew the recorded runs in tests/recorded, about three minutes
	$(ALONE) --record -m provoked tests/findings

lint: $(VENV)/.test ## ruff and mypy
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

docs: $(VENV)/.test ## build the documentation in docs/_build/html; warnings are errors
	$(VENV)/bin/python -m sphinx -qW --keep-going docs docs/_build/html
	@echo "The documentation begins at docs/_build/html/index.html"

bench: $(VENV)/.test ## run the benchmarks into reports/bench.json, about half an hour
	$(VENV)/bin/python -m benchmarks

up: ## start database, Locust (WORKERS=2), Prometheus and Grafana in containers
	@mkdir -p reports
	LOADTEST_USER="$$(id -u):$$(id -g)" docker compose up --build --scale worker=$(WORKERS)

clean: ## remove environments, builds and caches; reports stay
	rm -rf $(VENV) $(OLDEST) build dist docs/_build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp marks an environment that matches pyproject.toml and constraints.txt. System packages are checked each time:
# the check is quick, and a package may have been removed.
$(VENV)/.run: pyproject.toml constraints.txt | packages-run
	$(call install,$(VENV),constraints.txt,.[load])
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | packages-test
	$(call install,$(VENV),constraints.txt,.[test])
	@touch $(VENV)/.run $@

$(OLDEST)/.test: $(OLDEST)/constraints.txt | packages-test
	$(call install,$(OLDEST),$<,.[test])
	@touch $@

# As constraints.txt, but with the oldest SQLAlchemy that pyproject.toml allows.
$(OLDEST)/constraints.txt: pyproject.toml constraints.txt
	@mkdir -p $(@D)
	@grep -iv '^sqlalchemy==' constraints.txt > $@
	@sed -n 's/^ *"\(sqlalchemy\)>=\([^,]*\),[^;"]*\(;[^"]*\)\{0,1\}".*/\1==\2\3/p' pyproject.toml >> $@

# -qq: errors only
define install
$(PYTHON) -m venv $(1)
$(1)/bin/python -m pip install -qq --disable-pip-version-check -c $(2) -e '$(3)'
endef

packages-run packages-test packages-postgresql: packages-%: | python
	@PYTHON='$(PYTHON)' tools/system-packages $*

# A machine without Python gets one with the system packages. An old Python is an error before their installation.
python:
	@! command -v $(PYTHON) >/dev/null || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.12" >&2; exit 1; }
