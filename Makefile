# `make demo`: compress, restore and compare the photograph in examples/.  `make test`: everything CI checks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_STAMP := $(VENV)/.fuzz
FUZZED := $(addprefix fuzz-,header metadata payload whole round_trip image sound)

.PHONY: demo test lint fuzz $(FUZZED)

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest -n auto

# `make -j2 fuzz SECONDS=3600`: all targets of tests/targets.py by atheris, which has no wheels for Windows
SECONDS ?= 60
fuzz: $(FUZZED)

$(FUZZED): fuzz-%: $(FUZZ_STAMP)
	mkdir -p $(VENV)/found/$*
	$(BIN)/python tests/fuzz.py $* -max_total_time=$(SECONDS) -max_len=4096 -rss_limit_mb=3000 -print_final_stats=1 \
	    -artifact_prefix=$(VENV)/found/$*/ > $(VENV)/found/$*.log 2>&1 || { tail -40 $(VENV)/found/$*.log; exit 1; }
	@echo "$*: $$(grep -E 'number_of_executed_units|peak_rss' $(VENV)/found/$*.log | tr -s ' :\n' ' ')"

$(FUZZ_STAMP): $(STAMP)
	$(BIN)/pip install --quiet 'atheris>=3,<4'
	touch $@

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy --strict ardm_compress

# torch first and by its exact version: the ranges in pyproject.toml would take whatever is newest
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@
