# Everything from a clean checkout, with python3 (3.11 to 3.13) and make alone.
# `make help` lists the targets; docs/targets.md says what each runs and how long it takes.

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/demo

export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check docs nightly lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

# --- the environment ----------------------------------------------------------------------------
# Two stamps: the wheels come again when the lock changes, the editable install when pyproject does.

install: .venv/.project ## make .venv with the locked wheels and this checkout

.venv/.wheels: requirements/lock.txt
	@$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else \
	  'gristmill needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d: make PYTHON=python3.12' % v[:2])"
	@$(PYTHON) -c "import ensurepip, venv" 2> /dev/null || \
	  { echo "$(PYTHON) cannot make environments: install its venv package (python3-venv)" >&2; exit 1; }
	@echo "Installing the wheels of requirements/lock.txt into .venv"
	@start=$$(date +%s) \
	  && $(PYTHON) -m venv --clear .venv \
	  && $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/lock.txt \
	  && echo "Installed in $$(( $$(date +%s) - start )) s; not again until the lock changes"
	@touch $@

.venv/.project: .venv/.wheels pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check  # the lock still satisfies pyproject.toml
	@touch $@

# --- what people run ----------------------------------------------------------------------------

demo: install ## turn the sample crawl into shards and ask about them
	$(BIN)/gristmill run demo --out $(RUN)
	$(BIN)/gristmill funnel $(RUN)
	$(BIN)/gristmill why $(RUN) https://matome-kagami.jp/matome/furuhon-no-nioi.html
	$(BIN)/gristmill sql $(RUN) "SELECT language, count(*) AS documents, sum(tokens) AS tokens \
	  FROM shards GROUP BY ALL ORDER BY tokens DESC"
	@ls -l $(RUN)/shards

test: install ## the tests, but for nightly ones and those that need real crawls
	$(BIN)/python -m pytest $(ARGS)

check: install ## format, lint, types, walls, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_walls.py tests/test_docs.py

docs: install ## write docs/cli.md from the commands' own help
	$(BIN)/typer pipelines.cli utils docs --name gristmill --output docs/cli.md

nightly: install ## every test with many more examples, fuzzing and random kills included
	$(BIN)/python -m pytest -m "not crawl_dev" --hypothesis-profile=nightly $(ARGS)

# --- upkeep -------------------------------------------------------------------------------------
# One lock for Python 3.11 to 3.13: the same version of everything on all three, wheels only, so
# that nothing is compiled. ARGS="--upgrade" takes newer versions, else the present ones are kept.

lock: ## resolve pyproject.toml into requirements/lock.txt
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet "uv>=0.13,<0.14"
	.cache/lock/bin/uv pip compile pyproject.toml --extra dev --output-file requirements/lock.txt \
	  --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --only-binary :all: --emit-build-options --custom-compile-command "make lock" --quiet $(ARGS)

clean: ## remove .venv, caches, and the demo's run
	rm -rf .venv .cache .hypothesis $(RUN)
	find pipelines quality graph_rank tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
