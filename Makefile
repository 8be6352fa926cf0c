# `make` lists what there is. Each target sets up what it needs; the first run takes the longest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first of these that is 3.11 or newer and complete.
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV := .venv
RUN := $(VENV)/bin/python
SET_UP := $(VENV)/.set-up
CONTROL_PLANE := $(RUN) -m tools.controlplane
# Two cores are what the tests were measured on; more workers are `make test WORKERS=8`.
WORKERS ?= 2
N ?= 100
CASES ?= 1000
SEED ?= 1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-22s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo demo-down
demo: $(SET_UP) build-control-plane ## start a control plane and the operator; install, upgrade and roll back two releases
	@$(RUN) -m tools.demo up
demo-down: $(SET_UP) ## end the demo and remove its files
	@$(RUN) -m tools.demo down

.PHONY: test check
test: $(SET_UP) build-control-plane build-s3 ## run all tests: first those of the code alone, then those on the control plane
	@failed=0; \
	$(RUN) -m pytest -n $(WORKERS) -m "not cluster" || failed=1; \
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile -m cluster || failed=1; \
	exit $$failed
check: format-check lint types imports test ## everything that CI holds a change to

.PHONY: cluster cluster-down
cluster: $(SET_UP) build-control-plane ## start an empty control plane to play with
	@$(CONTROL_PLANE) up
	@echo 'To use it: eval "$$($(CONTROL_PLANE) env)"'
cluster-down: $(SET_UP) ## end it and remove its files
	@$(CONTROL_PLANE) down

.PHONY: format format-check lint types imports
format: $(SET_UP) ## format the code
	$(VENV)/bin/ruff format
format-check: $(SET_UP)
	$(VENV)/bin/ruff format --check
lint: $(SET_UP) ## look for mistakes and for what is not our style
	$(VENV)/bin/ruff check
types: $(SET_UP) ## check the types, strictly
	$(VENV)/bin/mypy
imports: $(SET_UP) ## check that imports only point down the layers
	$(VENV)/bin/lint-imports

.PHONY: bench-cluster bench-render bench-index bench-charts bench-gateway bench-cli fuzz corpus-install
bench-cluster: $(SET_UP) build-control-plane ## measure the operator with N releases (N=100); the last line is JSON
	$(RUN) -m bench.cluster --releases $(N)
bench-render: $(SET_UP) ## measure rendering against Helm's on WHIPSTAFF_CORPUS; the last line is JSON
	$(RUN) -m bench.render
bench-index: $(SET_UP) build-control-plane ## measure reading and searching an index of 26 MB against Helm; the last line is JSON
	$(RUN) -m bench.index
bench-charts: $(SET_UP) ## measure the chart server with 10,000 charts; the last line is JSON
	$(RUN) -m bench.chart_server
bench-gateway: $(SET_UP) build-control-plane ## measure the gateway with 1,000 releases; the last line is JSON
	$(RUN) -m bench.gateway
bench-cli: $(SET_UP) build-control-plane ## measure start-up, list of 100 releases and the like beside helm; the last line is JSON
	$(RUN) -m bench.cli
fuzz: $(SET_UP) ## compare made-up charts with Helm itself (CASES=1000, SEED=1); the last line is JSON
	$(RUN) -m bench.fuzz --cases $(CASES) --seed $(SEED)
corpus-install: $(SET_UP) build-control-plane ## install each chart of WHIPSTAFF_CORPUS and compare with helm's outcomes
	$(RUN) -m bench.corpus_install

.PHONY: build-control-plane
build-control-plane: $(SET_UP) ## get the control plane's programs: found, downloaded or built (15 minutes, once)
	@$(CONTROL_PLANE) build > /dev/null

.PHONY: build-s3
build-s3: $(SET_UP) ## install the S3 server of tests (once)
	@$(RUN) -m tools.s3server

.PHONY: build-browser
build-browser: $(SET_UP) ## install the browser that the pages are tested in: Debian's chromium, as root or by sudo (once)
	@$(RUN) -m tools.browser

.PHONY: manifests
manifests: $(SET_UP) ## write deploy/ and the chart's definitions anew from crds/ and charts/whipstaff
	@$(RUN) -m tools.manifests

.PHONY: reference
reference: $(SET_UP) ## write the tables of docs/helmrelease.md and docs/helmrepository.md from the definitions
	$(RUN) -m tools.reference

.PHONY: lock
lock: $(SET_UP) ## write requirements/*.lock anew
	$(RUN) -m tools.lock

.PHONY: clean
clean: ## end what runs and remove what was made here, but not the programs in the user's cache
	@if [ -x $(RUN) ] && [ -f $(SET_UP) ]; then $(RUN) -m tools.demo down; $(CONTROL_PLANE) down; fi
	rm -rf $(VENV) .whipstaff .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SET_UP): requirements/dev.lock pyproject.toml
	@if [ ! -x $(RUN) ]; then \
	  for python in $(PYTHON); do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
	      echo "setting up $(VENV) with $$($$python --version) (a minute or two, once)"; \
	      $$python -m venv $(VENV); break; \
	    fi; \
	  done; \
	fi
	@[ -x $(RUN) ] || { echo 'Python 3.11 or newer with venv is needed: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'installing the locked packages'
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
