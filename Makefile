# Everything from a machine with Python 3.11 to 3.13 and make. `make` alone lists what there is.

# The first that really runs: version managers leave names on the path that do not.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
  "$$python" -c '$(SUITABLE)' 2>/dev/null && { echo "$$python"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
COMPILED := $(VENV)/.compiled
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PINNED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
# One worker more than there are cores: some wait for a kernel, a browser or a database.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
# Files in their order, the many small ones of examples last: the cores then end together.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
DOCS := .venv-docs
LOOPS := $(patsubst %,tfeval/impact/matching/%.py,boxes kernel nearest_loops optimal) \
	tfeval/impact/compile_kernels.py

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev lab report test test-all lint types unit unit-all fuzz notebooks store docs lock clean

help: ## List what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(COMPILED) ## Make the environment in .venv that a report needs

setup-dev: $(COMPILED) $(DEVELOPED) ## Add to it what tests and JupyterLab need

lab: $(COMPILED) $(DEVELOPED) ## Open JupyterLab on the notebook for trying choices
	@cd notebooks && ../$(BIN)/jupyter lab explore.ipynb

report: $(COMPILED) ## Run the national report and four authorities into reports/
	@$(BIN)/tfeval report

test: lint types unit notebooks ## Lint, types, tests and notebook checks: minutes

test-all: lint types unit-all notebooks ## The same with the long tests, other engines and a browser

lint: $(INSTALLED) ## Style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) ## Types
	@$(BIN)/mypy

unit: $(COMPILED) ## Tests and the examples in docstrings, without the long ones
	@$(PYTEST) -m "not slow and not long and not engine and not browser"

unit-all: $(COMPILED) ## All tests and the examples in docstrings
	@$(PYTEST)

fuzz: $(COMPILED) $(DEVELOPED) ## 500 extracts spoilt by chance; `make test-all` tries 200
	@TFEVAL_SPOILT_EXTRACTS=500 $(BIN)/python -m pytest tests/test_fuzz.py

# One core a kernel: together they would wait for each other's threads, three times as long.
notebooks: $(COMPILED) ## Stored notebooks run again and compared with their outputs
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope --nbval --nbval-current-env -p no:cacheprovider -p tests.kernels_apart notebooks

store: $(COMPILED) ## Run the notebooks on their default parameters and keep the outputs
	@$(BIN)/tfeval store

# Not quietly: warnings end the build, and quiet ones would not be counted.
docs: $(DOCS)/.installed ## Build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build
	@echo "Open site/index.html"

lock: ## Pin what pyproject.toml asks for, for reports and for developers (needs uv)
	uv pip compile $(PINNED) --extra install pyproject.toml -o requirements.lock
	uv pip compile $(PINNED) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile $(PINNED) --group docs -o requirements-docs.lock
	@echo "Now: $(BIN)/python -m tests.test_dependencies, which brings docs/dependencies.md into step"

clean: ## Remove the environments, the reports and the site
	rm -rf $(VENV) $(DOCS) site reports/[!R]*

# Only its lock and the project's own definition rebuild it.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { \
	  echo "tfeval needs Python 3.11, 3.12 or 3.13, and none was found."; \
	  echo "Install one, or say where it is: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version) (some minutes, once)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# The same packages at the same versions, and what is only needed to work on tfeval.
$(DEVELOPED): $(INSTALLED) requirements-dev.lock
	@echo "Adding to $(VENV) what tests and JupyterLab need (a few minutes, once)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

lint types unit unit-all notebooks: $(DEVELOPED)

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
