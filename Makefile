# Everything runs in .venv, which the first target that needs it creates. Needs Python >= 3.11 and a
# package index; choose the interpreter with `make PYTHON=python3.12 test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --build-constraint constraints.txt

# Stamps: an install is repeated only after a change of what it is made from.
BASE := $(VENV)/.installed
LINT := $(VENV)/.installed-lint
MUTANTS := $(VENV)/.installed-mutants

.DEFAULT_GOAL := help
.PHONY: demo test lint format types bench coverage oracle mutants scoreboard clean help

demo: $(BASE)  ## replay the captured sign-ups through the example function, in virtual time
	$(BIN)/python scripts/demo.py

test: $(BASE)  ## run the tests
	$(BIN)/python -m pytest

lint: $(LINT)  ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(LINT)  ## mend style and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Each function is a root of its own, as in Lambda: its modules are named without the folder.
types: $(LINT)  ## check types
	$(BIN)/mypy
	set -e; for function in handlers/*/; do \
	  MYPYPATH=$$function $(BIN)/mypy --explicit-package-bases $$function; done

bench: $(BASE)  ## measure what the README claims
	$(BIN)/python -m benchmarks --write

coverage: $(BASE)  ## see whether each module of esm/core is covered by its own tests
	$(BIN)/python scripts/core_coverage.py

oracle: $(BASE)  ## compare filters with AWS's own event-ruler; needs Java and Maven
	$(BIN)/python -m pytest -m oracle

mutants: $(MUTANTS)  ## see whether the tests notice changes in esm/core
	$(BIN)/python scripts/mutants.py

scoreboard: $(BASE)  ## run the tests of every rule, write docs/fidelity.md
	$(BIN)/python scripts/scoreboard.py --write

clean:  ## remove .venv and everything else that make and the tools leave behind
	rm -rf $(VENV) build dist mutants htmlcov test-results .coverage .esm .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Dependency groups need a pip that is younger than the one a new environment brings.
$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(INSTALL) --editable '.[run]' --group test
	@touch $@

$(LINT) $(MUTANTS): $(VENV)/.installed-%: $(BASE)
	$(INSTALL) --group $*
	@touch $@

# A half-made environment is removed: the next run must not take it for a whole one.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'This needs Python 3.11 or newer, and $(PYTHON) is not: try make PYTHON=python3.12' >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
