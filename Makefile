# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# A distribution's interpreter, built with profile-guided optimisation, walks headers a fifth faster than a plain build.
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
STAMPS := .stamps
ARTIFACTS ?= artifacts
# What the product needs beyond Python and Node, and what the tests need besides.
RUN_PACKAGES := python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
                fonts-noto-core fonts-noto-cjk
TEST_PACKAGES := chromium dcmtk dicom3tools
BENCH_PACKAGES := debootstrap wrk
CLOCK_PACKAGES := gcc libc6-dev
# The parts of `make check`; like the stages of `make test` they are all run, whichever of them fails.
CHECKS := formatted linted typed layered frontend
# With real processes, browsers and databases in play more workers than cores only wait for each other. The tests of a
# file share its server.
PYTEST_WORKERS ?= 2
SPREAD := -n $(PYTEST_WORKERS) --dist loadfile
PYTEST := $(BIN)/pytest $(SPREAD)
# Thousands of databases are made and dropped: in memory that takes two thirds of the time. What has to be durable is
# tested by `faults` where it is asked for, on file systems of its own.
TEST_FOLDER ?= $(shell test -w /dev/shm && echo /dev/shm || echo "$${TMPDIR:-/tmp}")

# Hundreds of processes start: without bytecode each of them compiles everything anew, for three seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check format setup setup-test unit live browser test-clocks test-busy faults bench bench-qido \
  clean lock $(CHECKS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## start the demo: sample people and studies, payment sandbox, viewer
	$(BIN)/overread demo

test: setup-test ## run everything: linters, unit, live and browser tests; a stage that fails hides none
	@MAKE="$(MAKE)" scripts/every.sh $(CHECKS) unit live browser

setup: $(STAMPS)/run-packages $(STAMPS)/python $(STAMPS)/frontend $(STAMPS)/ohif ## install what the product needs

setup-test: setup $(STAMPS)/test-packages ## install what the tests need besides

check: $(STAMPS)/python $(STAMPS)/frontend ## lint, types, import directions, front-end types and tests
	@MAKE="$(MAKE)" scripts/every.sh $(CHECKS)

formatted: $(STAMPS)/python
	$(BIN)/ruff format --check .

linted: $(STAMPS)/python
	$(BIN)/ruff check .

typed: $(STAMPS)/python
	$(BIN)/mypy

layered: $(STAMPS)/python
	$(BIN)/lint-imports

frontend: $(STAMPS)/frontend
	cd frontend && npm run --silent check && npm test --silent

unit: setup-test ## the tests that start no server of ours
	TMPDIR=$(TEST_FOLDER) $(PYTEST) -m "not live and not browser"

live: setup-test ## the tests that start the whole server as processes
	TMPDIR=$(TEST_FOLDER) $(PYTEST) -m "live and not browser"

browser: setup-test ## the tests that drive chromium; screenshots land in $(ARTIFACTS)/
	TMPDIR=$(TEST_FOLDER) OVERREAD_ARTIFACTS=$(abspath $(ARTIFACTS)) $(PYTEST) -m browser

test-clocks: setup-test $(STAMPS)/clock-packages ## unit tests at the ends of days, months, summer time (90 min); CLOCKS="year spring"
	TMPDIR=$(TEST_FOLDER) $(BIN)/python -m tests.clocks $(CLOCKS) -- -q $(SPREAD)

test-busy: setup-test ## the tests, while something else keeps every core busy (half an hour)
	@MAKE="$(MAKE)" scripts/busy.sh scripts/every.sh unit live browser

faults: setup-test ## the long tests of faults: 200 kills, 20 power cuts and their controls (root; half an hour)
	FAULT_KILLS=200 FAULT_DEATHS=12 FAULT_CUTS=20 $(BIN)/pytest -s -o faulthandler_timeout=0 tests/faults

bench: setup $(STAMPS)/bench-packages ## measure beside Orthanc into docs/benchmarks.md (root; 10 min); QUICK=1 only prints
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick,--write docs/benchmarks.md)

bench-qido: setup ## measure searches among 100,000 and 1,000,000 studies (a quarter of an hour, 5 GB in /tmp); prints
	$(BIN)/python -m benchmarks.qido

format: $(STAMPS)/python ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

messages: $(STAMPS)/python ## list what people read in overread/locales/overread.pot; NEW=de begins a language
	$(BIN)/python -m scripts.messages $(NEW)

report-pictures: setup-test ## pictures of reports in seven languages, to look at, in artifacts/reports
	$(BIN)/python -m tests.cases.scripts_of_the_world artifacts/reports

lock: $(STAMPS)/python ## resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --group pyproject.toml:dev --upgrade --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 -o requirements.lock

clean: ## remove what was built and installed here
	rm -rf $(VENV) $(STAMPS) frontend/node_modules viewer_bridge/ohif/node_modules viewer_bridge/ohif/dist \
	  overread/web/static/build $(ARTIFACTS)

$(STAMPS)/run-packages: scripts/system-packages.sh Makefile
	scripts/system-packages.sh $(RUN_PACKAGES)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test-packages: scripts/system-packages.sh Makefile
	scripts/system-packages.sh $(TEST_PACKAGES)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/clock-packages: scripts/system-packages.sh Makefile
	scripts/system-packages.sh $(CLOCK_PACKAGES)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/bench-packages: scripts/system-packages.sh Makefile
	scripts/system-packages.sh $(BENCH_PACKAGES)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/python: requirements.lock pyproject.toml $(STAMPS)/run-packages
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.9"
	UV_LINK_MODE=copy $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/frontend: frontend/package-lock.json $(shell find frontend/src frontend/*.ts frontend/*.json -type f 2>/dev/null)
	cd frontend && npm ci --no-audit --no-fund --silent && npm run --silent build
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/ohif: viewer_bridge/ohif/package-lock.json viewer_bridge/ohif/build.py viewer_bridge/ohif/patches.py $(STAMPS)/python
	$(BIN)/python -m viewer_bridge.ohif
	@mkdir -p $(STAMPS) && touch $@
