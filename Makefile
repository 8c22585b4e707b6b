# flux2batch: `make demo` shows it, `make test` tests it. Both make .venv themselves and reuse it while it is up to date.
# Needed on the machine: Python 3.11 or newer (with venv), git and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)
say = @printf '%s\n'

.PHONY: help demo test check format lint types torture bench docs clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## check the quickstart job; nothing is sent and no key is needed
	$(say) "demo: flux2batch validate specs/quickstart.yaml"
	@$(BIN)/flux2batch validate specs/quickstart.yaml

test: $(VENV)/.ready-dev ## the tests, on two cores
	$(say) "test: pytest on $(WORKERS) cores"
	@$(PYTEST) -m "not torture and not online"

check: format lint types ## formatting, lint, types and all tests but torture: what CI runs
	$(say) "check: pytest on $(WORKERS) cores, with those tests that install from a package index"
	@$(PYTEST) -m "not torture"

format: $(VENV)/.ready-dev
	$(say) "check: ruff format"
	@$(BIN)/ruff format --check --quiet .

lint: $(VENV)/.ready-dev
	$(say) "check: ruff check"
	@$(BIN)/ruff check --quiet .

types: $(VENV)/.ready-dev
	$(say) "check: mypy --strict"
	@$(BIN)/mypy --strict

torture: $(VENV)/.ready-dev ## the long tests: tens of thousands of mutations, kills and faults
	$(say) "torture: pytest -m torture on $(WORKERS) cores; this takes minutes"
	@$(PYTEST) -m torture; code=$$?; test $$code -eq 5 && echo "torture: no such tests yet" || exit $$code

bench: $(VENV)/.ready-dev ## measure; nothing is asserted
	@for file in benchmarks/*.py; do \
		echo "bench: $$file"; \
		$(BIN)/python "$$file" || exit 1; \
	done

docs: $(VENV)/.ready-dev ## write the pages that are made from the code
	@$(BIN)/python docs/generate.py

clean: ## remove .venv and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are newer than pyproject.toml while the environment is up to date.
$(VENV)/.ready: pyproject.toml | $(BIN)/python
	$(say) "setup: installing flux2batch and its dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.ready-dev: pyproject.toml | $(BIN)/python
	$(say) "setup: installing flux2batch, its dependencies and the tools for tests into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.ready

$(BIN)/python:
	@for python in $(PYTHONS); do \
		"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "setup: making $(VENV) with $$("$$python" --version)"; \
		exec "$$python" -m venv $(VENV); \
	done; \
	echo "setup: flux2batch needs Python 3.11 or newer with the venv module, and found none among: $(PYTHONS)." >&2; \
	echo "       Install one (on Debian and Ubuntu: apt install python3 python3-venv) and run make again," >&2; \
	echo "       or name it: make test PYTHONS=/path/to/python3" >&2; \
	exit 1
