# Tongdui: `make demo` shows it, `make test` proves it, `make help` lists the rest.
# Everything is installed into this folder (.venv, .venv-api, .venv-brownie, node_modules) and nothing outside it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first of these that is Python 3.11 or newer and can make virtual environments; `make PYTHON=…` names another.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; \
  done)
NODE_FITS = node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' >/dev/null 2>&1 && npm --version >/dev/null 2>&1
PIP = -m pip --disable-pip-version-check --no-input install --quiet --require-hashes

# What `make setup` installs comes first, so that Node from PyPI is found where the system has none.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUTF8 := 1
# The receipt checker of the pages: one module, bundled from its sources and the contracts' artifacts.
CHECKER := ledger_api/pages/checker/assets/checker.js
# More arguments for the program that a target runs: make test-contracts ARGS="-k mint".
ARGS ?=

.PHONY: help pictures setup setup-dev engine demo serve bench bench-issue bench-redeem gas clearing-scale test test-quick test-python test-contracts test-pages test-faults test-races test-api test-network fuzz mutate mutate-sample lives bench-curve bench-network lint format docs compile check-artifacts lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.runtime.stamp node_modules/.stamp $(CHECKER) ## Install what running needs (again only when a lock file changes)

setup-dev: setup .venv/.dev.stamp .venv-brownie/.stamp node_modules/.dev.stamp ## Install what the tests and checks need as well

engine: .venv/bin/python ## Build geth for a trial network (two minutes, once); `make demo` needs none of it
	@PYTHON="$(CURDIR)/.venv/bin/python" scripts/engine.sh

demo: setup ## The main job from source records to an independent audit, at a fixed date; writes a page
	@.venv/bin/python -m scripts demo --json $(ARGS)

serve: setup ## The API and its workers on loopback; state is kept in .tongdui/
	@.venv/bin/tongdui serve $(ARGS)

bench: setup ## Measure throughput, at a small size
	@.venv/bin/python -m scripts bench issue --json --records 20000 --residents 5000 --naive-seconds 5 $(ARGS)

# Sizes come from the environment: make bench-issue RECORDS=1000000 DATABASE=postgresql NAIVE_SECONDS=30.
RECORDS ?= 200000
RESIDENTS ?= 50000
DATABASE ?= sqlite
NAIVE_SECONDS ?= 20
bench-issue: setup ## Measure issuance from file to projection (RECORDS, RESIDENTS, DATABASE, NAIVE_SECONDS)
	@.venv/bin/python -m scripts bench issue --json --records $(RECORDS) --residents $(RESIDENTS) --database $(DATABASE) \
	  --naive-seconds $(NAIVE_SECONDS) $(ARGS)

# make bench-redeem ORDERS=5000 WALLETS=5000 READ_SECONDS=20 DATABASE=postgresql
# After years, as on several cores: make bench-redeem ARGS="--residents 1000000 --history 10000000 --processes 2"
ORDERS ?= 2000
WALLETS ?= 1000
READ_SECONDS ?= 10
BEFORE ?= 200
REDEEM_NAIVE_SECONDS ?= 10
bench-redeem: setup ## Measure orders until they are final, and wallet reads, over HTTP (ORDERS, WALLETS, READ_SECONDS, DATABASE)
	@.venv/bin/python -m scripts bench redeem --json --orders $(ORDERS) --wallets $(WALLETS) \
	  --read-seconds $(READ_SECONDS) --before $(BEFORE) --naive-seconds $(REDEEM_NAIVE_SECONDS) --database $(DATABASE) $(ARGS)

bench-network: setup engine ## The same work on the embedded engine and on a network of five processes (ARGS="--records 20000")
	@.venv/bin/python -m scripts bench network --json $(ARGS)

bench-curve: setup ## Measure and draw issuance at several sizes; goes on where it was ended
	@.venv/bin/python -m scripts bench curve $(ARGS)

gas: setup ## What the contracts cost beside the EVM's floor; fails on a regression (ARGS=--update accepts the new figures)
	@.venv/bin/python -m scripts.gas $(ARGS)

MERCHANTS ?= 3000
PROGRAMMES ?= 30
clearing-scale: setup ## What a clearing cycle costs at a city's size; fails above 10 million gas a transaction (MERCHANTS, PROGRAMMES)
	@.venv/bin/python -m scripts.clearing_scale --merchants $(MERCHANTS) --programmes $(PROGRAMMES) $(ARGS)

test: setup-dev ## All tests: Python's, and the contracts' under Brownie beside them (about 20 minutes on two cores)
	@.venv/bin/python -m scripts.checks test $(ARGS)

test-quick: setup .venv/.dev.stamp ## The unit tests: no node, no server, no database server (90 s on two idle cores)
	@.venv/bin/python -m scripts.checks quick $(ARGS)

test-python: setup .venv/.dev.stamp node_modules/.dev.stamp ## The tests of the Python code (ARGS go to pytest)
	@.venv/bin/python -m scripts.checks python $(ARGS)

test-contracts: setup .venv-brownie/.stamp ## The contracts' tests under Brownie (ARGS go to pytest)
	@.venv/bin/python -m scripts.checks contracts $(ARGS)

test-pages: setup .venv/.dev.stamp node_modules/.dev.stamp ## The pages in a real browser (Debian's chromium), with axe; pictures go to build/pages
	@.venv/bin/python -m scripts.checks pages $(ARGS)

pictures: setup-dev ## Make the READMEs' pictures of the pages anew, by the pages' tests
	@TONGDUI_PICTURES=1 .venv/bin/python -m scripts.checks pages $(ARGS)

# make test-faults ROUNDS=300 SEED=1; FIRST is the first round's number, to play one again.
ROUNDS ?= 10
SEED ?= 1
FIRST ?= 1
test-faults: setup ## Kill, cut, fill, lie and set clocks under load; count what was lost or doubled (ROUNDS, SEED, FIRST)
	@.venv/bin/python -m scripts faults --json --rounds $(ROUNDS) --seed $(SEED) --first $(FIRST) $(ARGS)

test-api: setup .venv-api/.stamp ## Requests made from the API's own description, as each kind of person; and a client generated from it
	@.venv/bin/python -m scripts.api_check $(ARGS)

# make test-races ROUNDS=100 SEED=7
test-races: ROUNDS = 8
test-races: setup ## Many hands act on the same orders at once, over HTTP; every answer is compared with the table (ROUNDS, SEED)
	@.venv/bin/python -m scripts races --json --rounds $(ROUNDS) --seed $(SEED) $(ARGS)

test-network: setup engine ## A city on four real signers that die, lie, rewind and are cut off; an audit after each (ARGS="--only partition")
	@.venv/bin/python -m scripts network --json $(ARGS)

mutate: setup .venv/.dev.stamp .venv-brownie/.stamp ## Put faults into the contracts one at a time: the tests must notice (goes on where it was ended)
	@.venv/bin/python -m scripts.mutation $(ARGS)

mutate-sample: setup .venv/.dev.stamp .venv-brownie/.stamp ## The same for a few faults, judged anew; all must be noticed (ARGS="--sample 12 --seed 7")
	@.venv/bin/python -m scripts.mutation --sample 24 $(ARGS)

# make lives LIVES=400 STEPS=300 TONGDUI_SEED=7
LIVES ?= 100
STEPS ?= 300
lives: setup .venv-brownie/.stamp ## Long random lives of the contracts beside a model in Python (LIVES, STEPS)
	@TONGDUI_LIVES=$(LIVES) TONGDUI_STEPS=$(STEPS) .venv/bin/python -m scripts.checks contracts tests/contracts/test_state_machine.py

# make fuzz SECONDS=600; guided by Atheris where it is installed (.venv/bin/pip install atheris), else blind.
SECONDS ?= 60
fuzz: setup ## Give every parser anything for so many seconds (SECONDS); what is found lies in build/fuzz
	@.venv/bin/python -m scripts.fuzz --seconds $(SECONDS) $(ARGS)

lint: setup .venv/.dev.stamp node_modules/.dev.stamp ## Style, types, direction of imports, generated pages, artifacts
	@.venv/bin/python -m scripts.checks lint

format: .venv/.dev.stamp node_modules/.dev.stamp ## Put Python and Solidity into their form
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix . && .venv/bin/python -m scripts.solidity_form

docs: setup .venv/.dev.stamp ## Write what docs/ has from the code: openapi.json, schemas, reference pages
	@.venv/bin/python -m scripts.reference

compile: setup .venv/.dev.stamp ## Compile the contracts and write contracts/artifacts
	@.venv/bin/python -m scripts.compile $(ARGS)

check-artifacts: setup .venv/.dev.stamp ## Rebuild the contracts' artifacts and compare them with the committed ones
	@.venv/bin/python -m scripts.checks artifacts

lock: .venv/bin/python ## Write the requirements files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@PYTHON="$(CURDIR)/.venv/bin/python" scripts/lock.sh $(ARGS)

clean: ## Remove what was built, but neither the environments nor the state in .tongdui/
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Tongdui needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." >&2; \
	  echo "None was found on the PATH; 'make PYTHON=/path/to/python3' names one." >&2; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv .venv

.venv/.runtime.stamp: requirements.txt pyproject.toml | .venv/bin/python
	@echo "installing Python packages into .venv" >&2
	@.venv/bin/python $(PIP) -r requirements.txt
	@said=$$(.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable . 2>&1) || \
	  { echo "$$said" >&2; exit 1; }
	@touch $@

.venv/.dev.stamp: requirements-dev.txt .venv/.runtime.stamp
	@echo "installing the tools of the tests and checks into .venv" >&2
	@.venv/bin/python $(PIP) -r requirements-dev.txt
	@touch $@

.venv-api/.stamp: requirements-api.txt | .venv/bin/python
	@echo "installing what asks the API into .venv-api" >&2
	@test -x .venv-api/bin/python || .venv/bin/python -m venv .venv-api
	@.venv-api/bin/python $(PIP) -r requirements-api.txt
	@touch $@

.venv-brownie/.stamp: requirements-brownie.txt | .venv/bin/python
	@echo "installing Brownie into .venv-brownie" >&2
	@test -x .venv-brownie/bin/python || .venv/bin/python -m venv .venv-brownie
	@.venv-brownie/bin/python $(PIP) -r requirements-brownie.txt
	@touch $@

node_modules/.stamp: package.json package-lock.json requirements-node.txt | .venv/bin/python
	@$(NODE_FITS) || { echo "no Node.js 18 or newer with npm here: installing it into .venv" >&2; \
	  .venv/bin/python $(PIP) -r requirements-node.txt; }
	@echo "installing Node packages into node_modules" >&2
	@npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
	@ls node_modules/@foundry-rs/anvil-*/bin/anvil >/dev/null 2>&1 || command -v anvil >/dev/null || \
	  echo "warning: npm has locked Anvil for Linux x86_64 only; put an anvil 1.7.1 of this machine's kind on the PATH" >&2
	@touch $@

$(CHECKER): node_modules/.stamp scripts/bundle_checker.mjs $(wildcard ledger_api/pages/checker/source/*.js) $(wildcard contracts/artifacts/*.json)
	@node scripts/bundle_checker.mjs

# The formatter of Solidity, which only checks need, is larger than all the rest: it comes with the developers' tools.
node_modules/.dev.stamp: node_modules/.stamp
	@echo "installing the Node packages of the checks into node_modules" >&2
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch node_modules/.stamp $@
