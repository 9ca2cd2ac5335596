# make quickstart                  index the Python language reference and ask it five questions
#      QUESTION="..."              ask a question of your own
#      DOCS=folder                 index your own text and Markdown files
#      PYTHON=python3.12           use another Python
# make quickstart-compare          time FARMReader and DeFormerReader on it
# make quickstart-figures          count how many of its 98 questions are answered right
# make test                        ruff, mypy, unit and integration tests (or: make lint, unit, integration)
# make format                      let ruff fix and format the code
# make clean                       remove the virtual environment and the quickstart's index

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# no model hub and no telemetry: everything comes from the repository and from packages
export HF_HUB_OFFLINE = 1
export HAYSTACK_TELEMETRY_ENABLED = False
export TOKENIZERS_PARALLELISM = false
export QUESTION DOCS INDEX

.PHONY: quickstart quickstart-figures quickstart-compare test lint unit integration format clean

quickstart: $(VENV)/quickstart
	@$(BIN)/python examples/quickstart/run.py

quickstart-figures: $(VENV)/quickstart
	@$(BIN)/python examples/quickstart/figures.py

quickstart-compare: $(VENV)/quickstart
	@$(BIN)/python examples/quickstart/compare.py

test: lint unit integration

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/dev
	$(BIN)/pytest tests

integration: $(VENV)/dev
	$(BIN)/pytest integration_tests

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .quickstart

# before torch is fetched, and not after it
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "$$($(PYTHON) --version) is not one of 3.10 to 3.12: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch by itself first: what depends on it then takes the one that is there
$(VENV)/torch: $(BIN)/python constraints.txt
	@echo "Setting up $(VENV): some minutes the first time."
	$(PIP) torch
	@touch $@

$(VENV)/quickstart: $(VENV)/torch pyproject.toml
	$(PIP) --editable ".[quickstart]"
	@touch $@

$(VENV)/dev: $(VENV)/torch pyproject.toml
	$(PIP) --editable ".[dev]"
	@touch $@
