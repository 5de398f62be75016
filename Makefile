# Everything a person or a machine does with this repository; `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
# Where pip finds more packages: https://download.pytorch.org/whl/cpu has PyTorch for Linux without the GPU packages.
TORCH_INDEX ?=
# So many tests at a time, one thread each; the ten slowest are said, since a test has to earn its seconds.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations 10

.DEFAULT_GOAL := help
.PHONY: help setup browser demo test test-slow check format layout bench clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## make .venv and install Recurra with its tools

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Recurra needs Python 3.11 or later; name one with make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[captions,dev,export,hub,music,serve,speech,tensorboard,translation]'
	touch $@

browser: ## install Chromium, in which tests open pages (needs root; without it they are skipped, and say so)
	command -v chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }

demo: setup ## train on Python's own documentation for about a minute, write a page, draw pictures
	$(BIN)/recurra demo text --out $(DEMO)

test: setup ## the tests, but for the slow ones
	$(PYTEST)

test-slow: setup ## the slow tests
	$(PYTEST) -m slow

check: setup ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

layout: setup ## write the list of modules in CONTRIBUTING.md anew
	$(BIN)/python tests/helpers/layout.py

bench: setup ## measure; ONLY="large tang" chooses, RECURRA_DATA names the folder of data
	$(BIN)/python bench/run.py $(ONLY)

clean: ## remove what was made, but not .venv
	rm -rf $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
