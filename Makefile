# Stopgate. `make help` lists what there is.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/ready: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

translations: .venv/ready
	@if ls locale/*/LC_MESSAGES/django.po >/dev/null 2>&1; then $(BIN)/pybabel --quiet compile -d locale -D django 2>/dev/null; fi

setup: .venv/ready-dev translations ## .venv with what is pinned, nothing started

demo: export DEBUG := 1
demo: export QUIET_HOURS := off
demo: export APP_URL ?= http://localhost:$(PORT)
demo: .venv/ready translations ## try it: web, worker, demo company, on PORT (8000)
	@exec $(BIN)/python manage.py demo --port $(PORT)

test: setup browser ## every test: unit, PostgreSQL, browser
	$(BIN)/python -m pytest -n 2 --dist worksteal

browser:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  elif command -v sudo >/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "The browser tests need Chromium: install the package 'chromium', then run make test again." >&2; exit 1; fi; }

lint: setup ## static checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy messaging/addresses.py messaging/segments.py optout/codes.py optout/lines.py optout/methods.py campaigns/rendering.py lib/permutation.py

bench: setup ## the benchmarks of the contract, each beside its floor
	$(BIN)/python -m bench

.PHONY: help setup demo test lint bench translations browser
