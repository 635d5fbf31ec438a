# Everything from a machine with Python 3.11 to 3.13 and make. `make` alone lists what there is.

# The first that really runs: version managers leave names on the path that do not.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
  "$$python" -c '$(SUITABLE)' 2>/dev/null && { echo "$$python"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
DOCS := .venv-docs
LOOPS := $(wildcard tfeval/impact/*/*_loops.py) tfeval/impact/compile_kernels.py

.DEFAULT_GOAL := help
.PHONY: help setup report test lint types unit notebooks store docs lock clean

help: ## List what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(COMPILED) ## Make the environment in .venv from the lock

report: $(COMPILED) ## Run the national report and four authorities into reports/
	@$(BIN)/tfeval report

test: lint types unit notebooks ## Lint, types, tests and notebook checks

lint: $(INSTALLED) ## Style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) ## Types
	@$(BIN)/mypy

unit: $(COMPILED) ## Tests and the examples in docstrings
	@$(BIN)/python -m pytest -n auto --dist loadfile

notebooks: $(COMPILED) ## Stored notebooks run again and compared with their outputs
	@$(BIN)/python -m pytest -n auto --dist loadscope --nbval --nbval-current-env -p no:cacheprovider notebooks

store: $(COMPILED) ## Run the notebooks on their default parameters and keep the outputs
	@$(BIN)/tfeval store

# Not quietly: warnings end the build, and quiet ones would not be counted.
docs: $(DOCS)/.installed ## Build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build
	@echo "Open site/index.html"

lock: $(INSTALLED) ## Pin every version anew (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --group docs --generate-hashes --no-emit-index-url --no-header -o requirements-docs.lock

clean: ## Remove the environments, the reports and the site
	rm -rf $(VENV) $(DOCS) site reports/[!R]*

# Only the lock and the project's own definition rebuild it.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { \
	  echo "tfeval needs Python 3.11, 3.12 or 3.13, and none was found."; \
	  echo "Install one, or say where it is: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version) (some minutes, once)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Loops over many units become machine code here, once, so that nobody waits for it later.
$(COMPILED): $(INSTALLED) $(LOOPS)
	@echo "Compiling loops for large studies (a minute, once)"
	@$(BIN)/python -m tfeval.impact.compile_kernels
	@touch $@

# The site is built apart: its packages need none of tfeval's, nor tfeval them.
$(DOCS)/.installed: requirements-docs.lock
	@echo "Setting up $(DOCS) (a minute, once)"
	@test -x $(DOCS)/bin/python || "$(PYTHON)" -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@
