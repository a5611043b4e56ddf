# `make demo`: compress, restore and compare the photograph in examples/.  `make test`: everything CI checks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint fuzz

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest

# `make fuzz SECONDS=3600`: all targets of tests/targets.py, one after the other, by atheris (Linux and macOS)
SECONDS ?= 60
fuzz: $(STAMP)
	$(BIN)/pip install --quiet 'atheris>=3,<4'
	for target in header metadata payload whole round_trip image sound; do \
	    echo "$$target:" && $(BIN)/python tests/fuzz.py $$target -max_total_time=$(SECONDS) -max_len=4096 -rss_limit_mb=3000 \
	        -print_final_stats=1 2>&1 | grep -E 'number_of_executed_units|peak_rss|ERROR|Uncaught|Error' || exit 1; \
	done

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy --strict ardm_compress

# torch first and by its exact version: the ranges in pyproject.toml would take whatever is newest
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@
