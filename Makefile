# Everything below installs what it needs into .venv, from the lock (constraints.txt).
# A fresh machine needs Python 3.11, git, make, and apt for the browser and the database
# server that the tests use, and for node, which reads the player's scripts in `make lint`.

PYTHON ?= python3.11
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.PHONY: demo serve test soak lint format bench lock clean

demo: .venv/.runtime
	.venv/bin/plausibly demo $(ARGS)

serve: .venv/.runtime
	.venv/bin/plausibly serve $(ARGS)

test: .venv/.dev
	tools/require-chromium
	tools/require-postgres
	.venv/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The fault tests with many rounds; the result goes into docs/faults.md.
soak: .venv/.dev
	tools/require-chromium
	PLAUSIBLY_FAULT_ROUNDS=50 PLAUSIBLY_FAULT_REPORT=docs/faults.md \
	  .venv/bin/python -m pytest tests/faults --timeout 3600 $(ARGS)

lint: .venv/.dev node_modules/.installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	node_modules/.bin/eslint study_app/player
	node_modules/.bin/tsc

format: .venv/.dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/.dev
	@echo "Benchmarks are run by hand, one at a time; see docs/benchmarks.md."

# After a change of dependencies: write what is installed back into the lock.
lock: .venv/.dev
	.venv/bin/python -m pip freeze --all --exclude-editable | sed -e 's/+cpu$$//' -e '/^pip==/d' > constraints.txt

clean:
	rm -rf .venv node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.created:
	tools/make-venv $(PYTHON)
	touch $@

.venv/.runtime: .venv/.created pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt setuptools
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable .
	touch $@

.venv/.dev: .venv/.runtime
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $@

# Only what `make lint` runs: the player needs no build, and the server no node.
node_modules/.installed: package-lock.json package.json
	tools/require-node
	npm ci --silent
	touch $@
