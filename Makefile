# Every target sets up what it needs. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-find-links --no-emit-index-url --custom-compile-command "make lock"
# A test of the page or of a server waits more than it computes: one process more than there are processors.
# Files with many tests come first; in the first run they are not the slow ones.
TESTERS := -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist loadfile
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes

.PHONY: run dev venv test check bench bench-scaled bench-growth lock clean

run: $(VENV)/.run
	$(BIN)/flask --app wsgi serve

dev: $(VENV)/.run
	$(BIN)/flask --app wsgi run --debug --port 4000

venv: $(VENV)/.test

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not alone" $(TESTERS) --no-loadscope-reorder
	$(BIN)/python -m pytest -m alone
	$(BIN)/python -m pytest -m "not alone" $(TESTERS) --scaled

bench: $(VENV)/.run
	$(BIN)/python bench/run.py

bench-scaled: $(VENV)/.test
	$(BIN)/python bench/scaled.py

bench-growth: $(VENV)/.run
	$(BIN)/python bench/growth.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/biome check --error-on-warnings web

lock: $(VENV)/.dev
	$(BIN)/uv pip compile setup.cfg $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile setup.cfg $(LOCK) --extra postgres --extra s3 --extra redis --extra sentry -c requirements.lock -o requirements-scaled.lock
	$(BIN)/uv pip compile setup.cfg $(LOCK) --extra test -c requirements-scaled.lock -o requirements-test.lock
	$(BIN)/uv pip compile setup.cfg $(LOCK) --all-extras -c requirements-test.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) bench/.cache *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find uploadsvc tests migrations bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing (Debian: apt-get install python3-venv)"; exit 1; }

# The locks nest (run within test within dev), so a stamp installs on top of what is there.
$(VENV)/.run: requirements.lock | $(VENV)/bin/python
	$(PIP) -r requirements.lock
	@touch $@

$(VENV)/.test: requirements-test.lock | $(VENV)/bin/python
	$(PIP) -r requirements-test.lock
	@touch $@ $(VENV)/.run

$(VENV)/.dev: requirements-dev.lock | $(VENV)/bin/python
	$(PIP) -r requirements-dev.lock
	@touch $@ $(VENV)/.test $(VENV)/.run
