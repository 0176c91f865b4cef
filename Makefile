# Everything a clone needs is python3 (>= 3.11) with pip, and make. `make` alone lists the targets.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN := $(VENV)/bin
PY  := $(BIN)/python

# pip of the machine installs into the environment from outside: works where `python3 -m venv` cannot (no ensurepip).
# -qq and the rest: its advice about itself is not ours to show; its errors still are.
PIP         = PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 $(PYTHON) -m pip --python $(PY)
PIP_INSTALL = $(PIP) install -qq --root-user-action=ignore --no-input

# phonenumberslite, which the locks once had, and phonenumbers own files of one name: removing the one breaks the other. An
# environment that has the former loses both before it gets the latter.
PIP_HEAL = ! $(PIP) show -qq phonenumberslite >/dev/null 2>&1 || \
	$(PIP) uninstall -qq --root-user-action=ignore --yes phonenumberslite phonenumbers

# After an upgrade of the machine's Python the environment would be a ruin: made anew.
$(shell [ ! -e $(VENV)/.made ] || [ "$$($(PY) -V 2>&1)" = "$$(cat $(VENV)/.made)" ] || rm -rf $(VENV))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-page test lint types chaos chaos-cluster bench picture rooms lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## set up, then rehearse a campaign against a local Studio (some 30 s)
	@$(PY) -m dispatcher demo $(ARGS)

demo-page: $(VENV)/.runtime ## set up, then open the page on a local Studio, with a sample file uploaded: prints a link
	@$(PY) -m dispatcher demo --page $(ARGS)

test: $(VENV)/.dev ## set up, then run the tests; ARGS="-k limiter -n0" for some of them
	@$(PY) -m pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.dev ## check style, format, types, the import contracts and that no files import each other
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict
	@$(BIN)/lint-imports --no-logo
	@$(PY) -m tests.structure

types: $(VENV)/.dev ## check types alone
	@$(PY) -m mypy --strict

chaos: $(VENV)/.dev ## the long form of the fault tests: 500 kills with their table, then power loss, full disks, storms
	@$(PY) -m tests.chaos $(ARGS)

chaos-cluster: $(VENV)/.dev ## three workers and a PostgreSQL: 200 kills, 30 stops, 20 crashes, cut wires, with their table
	@$(PY) -m tests.chaos.cluster $(ARGS)

bench: $(VENV)/.dev ## measure throughput, memory and start-up
	@$(PY) -m tests.bench $(ARGS)

picture: $(VENV)/.dev ## make the README's picture of the live view again, from a real run
	@$(PY) -m docs.picture $(ARGS)

rooms: $(VENV)/.dev ## draw the picture of the rooms again, from the imports of the code (docs/architecture.svg)
	@$(PY) -m docs.rooms

lock: $(VENV)/.dev ## resolve the dependencies again; ARGS=--upgrade for newer versions
	@$(LOCK) --group build --output-file requirements.lock pyproject.toml
	@$(LOCK) --group build --group dev --extra cluster --constraints requirements.lock \
		--output-file requirements-dev.lock pyproject.toml

# --universal: one lock for every system and Python. No header, no index, no annotation: nothing in it tells where it was made.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(ARGS)

clean: ## remove the environment and the caches; ledgers and reports stay
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in steps that are redone when what they rest on changes.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: dispatcher needs Python 3.11 or newer, found: $$($(PYTHON) -V 2>&1)" >&2; \
		echo "fix: make PYTHON=python3.12 $(MAKECMDGOALS)   (any newer one that is installed)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys, pip; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (22, 3))' 2>/dev/null || { \
		echo "error: $(PYTHON) has no pip, or one older than 22.3" >&2; \
		echo "fix: install it (Debian, Ubuntu: apt install python3-pip), or $(PYTHON) -m pip install --upgrade pip" >&2; exit 2; }
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(PY) -V > $@

$(VENV)/.runtime: requirements.lock pyproject.toml $(VENV)/.made
	@echo "setting up $(VENV) from requirements.lock (once; a minute or so) ..." >&2
	@$(PIP_HEAL)
	@$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml $(VENV)/.made
	@echo "setting up $(VENV) from requirements-dev.lock (once; a minute or so) ..." >&2
	@$(PIP_HEAL)
	@$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
