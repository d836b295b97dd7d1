# Needs Python 3.11+ and make. Every environment is a folder .venv* here; nothing outside the checkout is touched.
#   make test                          everything, on PYTHON and DJANGO
#   make test PYTHON=python3.13 DJANGO=6.1
#   make tests ARGS="-k batch -x"      part of the tests
#   make stores REDIS=5.0.1            with the oldest redis-py that is allowed
#   make demo ARGS="--store redis://127.0.0.1:6379/0"

PYTHON ?= python3
DJANGO ?= 5.2
# A release of redis-py, for an environment of its own; left out, the newest one.
REDIS ?=
WORKERS ?= 2
SECONDS ?= 60
EXAMPLES ?= 1000000
ARGS ?=

.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ENV := .venv-$(VERSION)-django$(DJANGO)$(REDIS:%=-redis%)
# -P: the folder that make runs in stays off sys.path, so that the installed genscache is tested, not the checkout's.
PY := $(ENV)/bin/python -P
DEMO := .venv-demo-$(VERSION)
BENCH := .venv-bench-$(VERSION)-django$(DJANGO)
RESULTS := docs/explanation/performance.json
SOURCES := $(shell find genscache -type f -not -path '*/__pycache__/*') pyproject.toml README.md LICENSE
# One wheel and one set of coverage data for each pair of Python and Django.
WHEELS := build/wheel-$(VERSION)-django$(DJANGO)$(REDIS:%=-redis%)
export COVERAGE_FILE := $(CURDIR)/$(ENV)/coverage
TESTED := GENSCACHE_TEST_INSTALLED=1
# What takes minutes, and hardly differs between releases of Python and Django.
PROOFS := tests/races tests/matrix tests/soak tests/outages tests/enforced

say = @printf '\n--- %s\n' "$(1)"

.DEFAULT_GOAL := help
.PHONY: help test test-only lint format types arch tests stores proofs props coverage mutants matrix explore spin soak fuzz bench bench-page docs dist demo clean python

help: ## show this list
	@echo "make TARGET [PYTHON=python3] [DJANGO=5.2] [WORKERS=2] [ARGS=...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

test: lint types arch test-only ## lint, types, architecture, tests, proofs, property tests

test-only: tests proofs props ## tests, proofs and property tests

lint: $(ENV)/ready ## ruff: rules and format
	$(call say,Lint)
	@$(ENV)/bin/ruff check .
	@$(ENV)/bin/ruff format --check .

format: $(ENV)/ready ## let ruff format and repair what it can
	@$(ENV)/bin/ruff check --fix .
	@$(ENV)/bin/ruff format .

types: $(ENV)/ready ## mypy, strict
	$(call say,Types)
	@$(ENV)/bin/mypy

arch: $(ENV)/ready ## import-linter: which module may import which
	$(call say,Architecture)
	@$(ENV)/bin/lint-imports

tests: $(ENV)/installed ## tests, on servers that they start themselves
	$(call say,Tests on Python $(VERSION) and Django $(DJANGO))
	@$(TESTED) $(PY) -m pytest tests $(PROOFS:%=--ignore=%) -n $(WORKERS) $(ARGS)

stores: $(ENV)/installed ## tests of the stores and of reads, for another driver: REDIS=5.0.1
	$(call say,Stores on Python $(VERSION) and redis-py $(if $(REDIS),$(REDIS),as it is))
	@$(TESTED) $(PY) -m pytest tests/stores tests/reads -n $(WORKERS) $(ARGS)

proofs: $(ENV)/installed ## races, outages, soak and matrix in their short forms; all: GENSCACHE_TEST_WHOLE=1
	$(call say,Proofs on Python $(VERSION) and Django $(DJANGO))
	@$(TESTED) $(PY) -m pytest $(PROOFS) -n $(WORKERS) $(ARGS)

props: $(ENV)/installed ## property tests
	$(call say,Property tests on Python $(VERSION) and Django $(DJANGO))
	@$(TESTED) $(PY) -m pytest property_tests -n $(WORKERS) $(ARGS)

coverage: $(ENV)/installed ## branch coverage of tests and property tests; too little is an error
	$(call say,Coverage on Python $(VERSION) and Django $(DJANGO))
	@rm -f $(COVERAGE_FILE)*
	@$(TESTED) $(PY) -m coverage run -m pytest tests property_tests $(PROOFS:%=--ignore=%) -n $(WORKERS) $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

mutants: $(ENV)/ready ## deliberate bugs, each of which the tests must catch
	$(call say,Mutants)
	@$(ENV)/bin/python -m property_tests.mutants $(ARGS)

matrix: $(ENV)/ready ## every kind of query against every kind of write: where an answer is stale (nowhere)
	$(call say,Matrix)
	@$(ENV)/bin/python -m tests.matrix $(ARGS)

explore: $(ENV)/ready ## every order of steps of readers and writers, on the real protocol code
	$(call say,Explorer)
	@$(ENV)/bin/python -m property_tests.explorer $(ARGS)

spin: $(ENV)/ready ## the same protocol as a Spin model; needs spin and a C compiler
	$(call say,Spin)
	@$(ENV)/bin/python -m property_tests.spin $(ARGS)

soak: $(ENV)/ready ## real processes and faults, each read checked: SECONDS=60
	$(call say,Soak)
	@$(ENV)/bin/python -m tests.soak --seconds $(SECONDS) $(ARGS)

fuzz: $(ENV)/ready ## hostile bytes for the decoder: EXAMPLES=1000000
	$(call say,Fuzz)
	@$(ENV)/bin/python -m tests.security.fuzz --examples $(EXAMPLES) $(ARGS)

bench: $(BENCH)/ready ## how fast, beside others; in its own environment: ARGS="--only hits"
	$(call say,Benchmark)
	@$(BENCH)/bin/python -m tests.benchmarks $(ARGS)

bench-page: $(BENCH)/ready ## the same, and the numbers and pictures of docs/explanation/performance.md
	$(call say,Benchmark)
	@$(BENCH)/bin/python -m tests.benchmarks --json $(RESULTS) $(ARGS)
	@$(BENCH)/bin/python -m tests.benchmarks.tables $(RESULTS) docs/explanation/performance.md
	@$(BENCH)/bin/python -m tests.benchmarks.charts $(RESULTS) docs/explanation/pictures

docs: $(ENV)/ready ## the documentation, in docs/_build; a warning is an error
	$(call say,Documentation)
	@$(ENV)/bin/sphinx-build -n -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

dist: $(ENV)/ready ## wheel and sdist, in dist; the wheel is tried in an empty environment
	$(call say,Distribution)
	@rm -rf dist build/sdist build/try
	@$(ENV)/bin/hatchling build -d dist
	@mkdir -p build/sdist
	@tar -xzf dist/genscache-*.tar.gz -C build/sdist --strip-components 1
	@cd build/sdist && ../../$(ENV)/bin/hatchling build -t wheel -d ..
	@$(PYTHON) -m venv build/try
	@build/try/bin/python -m pip install --quiet --quiet dist/genscache-*.whl
	@cd build/try && bin/python -P -c 'import genscache; print("imported from", genscache.__file__)'
	@build/try/bin/python -m pip check
	@rm -rf build/sdist build/try build/genscache-*.whl

demo: $(DEMO)/installed ## the main job on real input, in an environment with nothing but the package
	@$(DEMO)/bin/python -P -m genscache demo $(ARGS)

clean: ## remove what make made
	rm -rf .venv-* build dist docs/_build .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

python:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "genscache needs Python 3.11 or newer with venv; $(PYTHON) is not. Use make PYTHON=/path/to/python3.11"; exit 1; }

# A changed pyproject.toml makes the environment anew, so that it holds what a fresh clone's would.
$(ENV)/ready: pyproject.toml | python
	$(call say,Making $(ENV))
	@$(PYTHON) -m venv --clear $(ENV)
	@echo "  pip that reads dependency groups"
	@$(ENV)/bin/python -m pip install --quiet --quiet "pip>=25.1"
	@echo "  everything for development and Django $(DJANGO)"
	@$(ENV)/bin/python -m pip install --quiet --quiet --group dev "Django~=$(DJANGO).0" "redis$(if $(REDIS),==$(REDIS),>=5.0.1)"
	@touch $@

# cacheops and cachalot change Django where they are imported: nothing else is measured or tested beside them.
$(BENCH)/ready: pyproject.toml | python
	$(call say,Making $(BENCH))
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --quiet "pip>=25.1"
	@$(BENCH)/bin/python -m pip install --quiet --quiet --group bench "Django~=$(DJANGO).0" "redis>=5.0.1"
	@touch $@

# The wheel, not the checkout, is what the tests import.
$(ENV)/installed: $(ENV)/ready $(SOURCES)
	$(call say,Installing genscache's wheel)
	@rm -rf $(WHEELS)
	@$(ENV)/bin/hatchling build -t wheel -d $(WHEELS)
	@$(ENV)/bin/python -m pip install --quiet --quiet --force-reinstall --no-deps $(WHEELS)/genscache-*.whl
	@touch $@

$(DEMO)/installed: $(SOURCES) | python
	$(call say,Making $(DEMO))
	@$(PYTHON) -m venv --clear $(DEMO)
	@$(DEMO)/bin/python -m pip install --quiet --quiet .
	@touch $@
