# clusterlab: `make run` and `make test` do all the set-up that is missing.
PYTHON ?= python3.11
HOST ?= 127.0.0.1
PORT ?= 8000
BIN = .venv/bin

.PHONY: help setup run run-scaled test bench lint types screenshots golden clean
.DEFAULT_GOAL := help

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/.done .venv/.front ## Install what is missing: virtual environment, packages, front end, database
	@$(BIN)/python scripts/messages.py
	@$(BIN)/python manage.py migrate --verbosity 0

.venv/.python:
	@scripts/progress "Making a virtual environment" sh -c '$(PYTHON) -m venv .venv || python3 -m venv .venv'
	@touch $@

.venv/.done: .venv/.python requirements.txt
	@scripts/progress "Installing Python packages" $(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: .venv/.done requirements-dev.txt
	@scripts/progress "Installing packages for the tests" $(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/.front: .venv/.done package.json package-lock.json $(shell find static/src -type f 2>/dev/null)
	@scripts/front-end
	@touch $@

run: setup ## Serve the labs (HOST, PORT, TLS_PORT)
	@CLUSTERLAB_PORT=$(PORT) $(BIN)/python -m clusterlab.web.serve --host $(HOST) --port $(PORT) $(if $(TLS_PORT),--tls-port $(TLS_PORT))

run-scaled: setup ## Serve as two web processes and two lab hosts, with PostgreSQL and Redis (PORT)
	@$(BIN)/python -m clusterlab.web.scale.stack --port $(PORT)

test: setup .venv/.dev ## Run all tests
	@scripts/test

lint: .venv/.dev ## Check style, types and layers
	@$(BIN)/ruff check clusterlab tests manage.py
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@scripts/front-end types

bench: setup .venv/.dev ## Measure the budgets
	@$(BIN)/python -m tests.bench

screenshots: setup .venv/.dev ## Take pictures of each lens into docs/screenshots
	@$(BIN)/python -m tests.pictures.take docs/screenshots --scene shop broken large

golden: .venv/.dev ## Rewrite golden files; review the difference
	@$(BIN)/python -m pytest tests --update-golden

clean: ## Remove what was installed and built; labs stay
	rm -rf .venv node_modules static/dist
