# Needs Python >= 3.11, git and make; everything else is set up in .venv (see scripts/install).
# PYTHON=python3.13 chooses another Python for a new .venv.

PY := .venv/bin/python
# Where this is set, each of the hundreds of processes that tests, benchmarks and the demo start compiles all its modules.
unexport PYTHONDONTWRITEBYTECODE
# Three times as many as CI has cores: the tests start real servers and wait for them much of the time.
# Tests of one file share their servers, so a file stays in one process; tests/conftest.py orders the files.
WORKERS ?= 6
TESTS ?= tests

BENCHMARKS := $(addprefix bench-,ingest rabbitmq cpu memory latency load restart growth soak)

.PHONY: help demo test prove check bench $(BENCHMARKS) docs fmt clean servers ui-test

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

demo:  ## Show everything alive: broker, workers, a shop, the monitor (Ctrl-C stops all)
	@scripts/install demo
	@exec .venv/bin/umbel demo $(ARGS)

test:  ## Run every test (in CI the checks as well); TESTS=tests/unit runs a part
	@scripts/install test
	@scripts/install-servers
	@scripts/npm.py test
	@if [ -n "$$CI" ]; then scripts/check; fi
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) $(ARGS)

prove:  ## Run the long proofs (about an hour and a half)
	@scripts/install test
	@scripts/install-servers
	@$(PY) -m pytest -m prove --timeout 3600 -s $(TESTS) $(ARGS)

check:  ## Format, lint, types, layers, dependencies, sizes, the web UI, docs
	@scripts/install test
	@scripts/check --all

bench:  ## Measure Umbel beside Flower 2.2.0 (hours; ARGS=--quick is a first look)
	@scripts/install test
	@scripts/install-servers
	@$(PY) -m benchmarks $(ARGS)

bench-ingest:  ## … a part: events a second and their CPU on Redis
bench-rabbitmq:  ## … on RabbitMQ, and bursts without loss
bench-cpu:  ## … an event at an even rate, idle, heartbeats
bench-memory:  ## … memory, and bytes on disk, up to a million tasks
bench-latency:  ## … HTTP answers
bench-load:  ## … HTTP answers and live streams under load
bench-restart:  ## … from kill -9 to the first page
bench-growth:  ## … how all that grows with the history
bench-soak:  ## … memory, file and lag over time
$(BENCHMARKS):
	@scripts/install test
	@scripts/install-servers
	@$(PY) -m benchmarks.$(@:bench-%=%) $(ARGS)

docs:  ## Build the documentation into site/
	@scripts/install test
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet && echo "The documentation is in site/index.html"

fmt:  ## Lay the code out, sort imports, list new files in ARCHITECTURE.md
	@scripts/install test
	@$(PY) -m ruff format && $(PY) -m ruff check --fix-only --quiet
	@$(PY) scripts/architecture.py
	@scripts/npm.py format

servers:  ## Install the servers and the browser that the tests use (by apt, where missing)
	@scripts/install-servers

clean:  ## Remove all that was made here, .venv too
	rm -rf .venv site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* \
	  .import_linter_cache test-results ui/node_modules src/umbel/ui_dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
