# flux2batch: `make demo` shows it, `make test` tests it. Both make .venv themselves and reuse it while it is up to date.
# Needed on the machine: Python 3.11 or newer (with venv), git and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PEERS := .peers
LOCAL := .local
BENCH := .bench
BIN := $(VENV)/bin
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
# A test waits half of its time for processes, pictures and pages: four of them keep two cores busy.
WORKERS ?= 4
CORES ?= 2
# Without compiled modules each of the thousand processes that tests start would compile them all.
unexport PYTHONDONTWRITEBYTECODE
# What needs neither files nor processes: a checkout that is broken says so in a second, before all is collected.
FIRST := tests/engine/test_lifecycle.py tests/engine/test_policy.py
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
say = @printf '%s\n'

.PHONY: help demo browser test check format lint types torture bench bench-quick docs site peers local local-ready clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## run the quickstart job on an emulator: no key, no cost
	$(say) "demo: flux2batch run specs/quickstart.yaml --emulate"
	@$(BIN)/flux2batch run specs/quickstart.yaml --emulate

test: $(VENV)/.ready-dev ## the tests, on two cores
	$(say) "test: the lifecycle of a shot first, then all with $(WORKERS) workers"
	@$(BIN)/python -m pytest -x $(FIRST)
	@$(PYTEST) -m "not torture and not online"

browser: $(VENV)/.ready-dev ## find a Chromium for the tests of the contact sheet, or install one
	@.ci/browser $(BIN)/python

check: format lint types ## formatting, lint, types and all tests but torture: what CI runs
	$(say) "check: pytest with $(WORKERS) workers, with those tests that install from a package index"
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

torture: $(VENV)/.ready-dev ## the long tests: tens of thousands of simulations, kills, faults and mutations
	$(say) "torture: every harness on $(CORES) cores; this takes most of an hour"
	-@.ci/strace
	@$(BIN)/python tests/torture/run_all.py --processes $(CORES)

bench: $(VENV)/.ready-dev $(BENCH)/.ready $(PEERS)/.ready ## measure beside others, write benchmarks/RESULTS.md: 15 minutes on a quiet machine
	@$(BIN)/python benchmarks/compare.py --keep $(BENCH)/figures.json

bench-quick: $(VENV)/.ready-dev $(BENCH)/.ready $(PEERS)/.ready ## the same with less of everything, in two minutes; RESULTS.md stays
	@mkdir -p $(BENCH)/quick
	@$(BIN)/python benchmarks/compare.py --quick --out $(BENCH)/quick

docs: $(VENV)/.ready-dev ## write the pages that are made from the code
	@$(BIN)/python docs/generate.py

site: $(VENV)/.ready-docs ## build the pages into a website: site/index.html
	$(say) "site: mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(say) "site: site/index.html"

peers: $(PEERS)/.ready ## install other people's clients and the editors' YAML server into .peers, for tests with them

local: local-ready ## draw with the real libraries: the tests of local models and fleets, in an environment of their own
	$(say) "local: pytest -m local with $(WORKERS) workers"
	@OMP_NUM_THREADS=1 $(LOCAL)/venv/bin/python -m pytest -n $(WORKERS) --dist loadfile -m local -rs tests/local

local-ready: $(LOCAL)/.ready

clean: ## remove .venv, .peers, .local, .bench and caches
	@rm -rf $(VENV) $(PEERS) $(LOCAL) $(BENCH) site .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are newer than pyproject.toml while the environment is up to date.
$(VENV)/.ready: pyproject.toml | $(BIN)/python
	$(say) "setup: installing flux2batch and its dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.ready-dev: pyproject.toml | $(BIN)/python
	$(say) "setup: installing flux2batch, its dependencies and the tools for tests into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.ready

$(VENV)/.ready-docs: pyproject.toml | $(BIN)/python
	$(say) "setup: installing the generator of the website into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
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

# What runs in Node is left out where there is no Node; in CI that is an error.
$(PEERS)/.ready: $(wildcard tests/clients/requirements*.txt tests/*/package.json) | $(BIN)/python
	$(say) "setup: installing other people's clients into $(PEERS)"
	@$(BIN)/python -m venv $(PEERS)/venv
	@$(PEERS)/venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@$(PEERS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/clients/requirements-alone.txt
	@mkdir -p $(PEERS)/editor
	@cp tests/clients/package.json $(PEERS)/package.json
	@cp tests/editor/package.json $(PEERS)/editor/package.json
	@if command -v npm >/dev/null; then \
		npm install --prefix $(PEERS) --no-audit --no-fund --no-package-lock --loglevel=error && \
		npm install --prefix $(PEERS)/editor --no-audit --no-fund --no-package-lock --loglevel=error; \
	elif [ -n "$$CI" ]; then \
		echo "setup: npm is not installed, and CI tries what runs in Node too." >&2; exit 1; \
	else \
		echo "setup: npm is not installed: the clients in Node and the YAML server are left out."; \
	fi
	@touch $@

$(BENCH)/.ready: benchmarks/peers/requirements.txt | $(BIN)/python
	$(say) "setup: installing what the benchmarks compare with into $(BENCH)/venv"
	@$(BIN)/python -m venv $(BENCH)/venv
	@$(BENCH)/venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# torch and what goes with it: a gigabyte at least. Without Ray the fleet alone is left untested, and says so.
$(LOCAL)/.ready: pyproject.toml $(wildcard tests/local/requirements*.txt) | $(BIN)/python
	$(say) "setup: installing torch, diffusers and what goes with them into $(LOCAL)/venv; this takes a while"
	@$(BIN)/python -m venv $(LOCAL)/venv
	@$(LOCAL)/venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable . pytest pytest-xdist -r tests/local/requirements.txt
	@$(LOCAL)/venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/local/requirements-fleet.txt \
		|| echo "setup: Ray cannot be installed here: the fleet is not tested." >&2
	@touch $@
