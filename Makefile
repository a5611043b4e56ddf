# `make demo`: compress, restore and compare the photograph in examples/.  `make test`: everything CI checks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROGRAM := $(VENV)/.program
STAMP := $(VENV)/.installed
FUZZ_STAMP := $(VENV)/.fuzz
FUZZED := $(addprefix fuzz-,header metadata payload whole round_trip image sound jpeg)

DATA ?= ../shared/data
BENCHES := bench-kodak bench-calls bench-held-out bench-kinds bench-sc09 bench-music

.PHONY: demo test test-aarch64 lint man fuzz bench bench-paper bench-oa bench-hot bench-scaling $(FUZZED) $(BENCHES)

demo: $(PROGRAM)
	$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest -n auto

# Decodes the golden files and writes the newest again on an emulated AArch64, which has no wheels of constriction.
# Emulation is slow; `make test-aarch64 GOLDEN='sound-2 or jpeg'` takes some files. On Debian 12, with qemu-user
GOLDEN ?= golden
test-aarch64: $(PROGRAM)
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir $(VENV)/aarch64 .
	PYTHON=$(BIN)/python tests/aarch64.sh $(VENV)/aarch64 $(VENV)/aarch64/*.whl tests/promises/test_golden.py -k '$(GOLDEN)'

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

# Tables and plots of docs/benchmarks.md, from DATA; what .runs/bench/ holds is not measured again
bench: $(BENCHES) bench-scaling

# Published figures, of which docs/benchmarks.md gives the sources
LEARNED := L3C=3.26 DLPR=2.86 P2-LLM=2.83 ArIB-BPS=2.78 MGCF=2.77 HPAC=2.73 EMMA=2.604
PUBLISHED := $(addprefix --published ,$(LEARNED))
bench-kodak: BENCH = $(DATA)/bench/kodak --budgets 96 --sizes $(PUBLISHED)
bench-calls: BENCH = $(DATA)/bench/kodak --every 4 --budgets 8,16,32,96,max --plot docs/benchmarks/calls.svg
bench-held-out: BENCH = $(DATA)/train/photos --every 37 --budgets 96 --sizes
bench-kinds: BENCH = $(wildcard $(DATA)/kinds/*) --budgets 96 --sizes
bench-sc09: BENCH = $(DATA)/bench/sc09 --budgets 16,64,1024 --sizes
bench-music: BENCH = $(DATA)/bench/music --budgets 512 --sizes

$(BENCHES): bench-%: $(VENV)/.bench
	mkdir -p .runs/bench docs/benchmarks
	$(BIN)/ardm-compress bench $(BENCH) --results .runs/bench/$*.csv --format markdown > .runs/bench/$*.md
	$(BIN)/python benchmarks/page.py docs/benchmarks.md $* .runs/bench/$*.md "make $@"

# `make bench-scaling MOST=50` takes half an hour
MOST ?= 4
bench-scaling: $(VENV)/.bench
	mkdir -p .runs/bench
	$(BIN)/python benchmarks/scaling.py --most $(MOST) > .runs/bench/scaling.md
	$(BIN)/python benchmarks/page.py docs/benchmarks.md scaling .runs/bench/scaling.md "make $@ MOST=$(MOST)"

bench-hot: $(VENV)/.bench
	$(BIN)/python benchmarks/hot.py
	$(BIN)/python -m pytest -q benchmarks/hot.py

# Tables and plots of docs/paper.md. The OA-ARDM's weights are in benchmarks/oa/; `benchmarks/oa_ardm.py train` and
# `export` make them anew.
PAPER = $(DATA)/train/photos $(DATA)/bench/kodak

# $(call table,NAME,SCRIPT AND ARGUMENTS): the table between the marks NAME of docs/paper.md
define table
	$(BIN)/python benchmarks/$(2) > .runs/paper/$(1).md
	$(BIN)/python benchmarks/page.py docs/paper.md $(1) .runs/paper/$(1).md \
	    "python benchmarks/$(subst $(PAPER),PHOTOS KODAK,$(2))"
endef

bench-paper: $(VENV)/.bench
	mkdir -p .runs/paper docs/paper
	$(call table,orders,paper.py orders $(PAPER) -o docs/paper/orders.json)
	$(call table,files,paper.py files $(PAPER))
	$(call table,upscaling,upscaling_images.py $(PAPER) --steps 2000)
	$(BIN)/python benchmarks/paper_pictures.py examples/photo.png docs/paper
	$(BIN)/python benchmarks/paper_plots.py docs/paper

bench-oa: $(VENV)/.bench
	mkdir -p .runs/paper docs/paper
	$(call table,losses,oa_ardm.py losses $(PAPER) -o docs/paper/losses.json)
	$(call table,oa_orders,oa_ardm.py orders $(PAPER) -o docs/paper/oa_orders.json)
	$(call table,oa_files,oa_ardm.py files $(PAPER))
	$(BIN)/python benchmarks/oa_ardm.py sample docs/paper/oa_samples.png
	$(BIN)/python benchmarks/paper_plots.py docs/paper

$(VENV)/.bench: $(STAMP)
	$(BIN)/pip install --quiet -e '.[bench]'
	touch $@

# docs/man/, whenever commands or options change
man: $(STAMP)
	$(BIN)/click-man --target docs/man --man-date "$$(date +%F)" --man-version \
	    "$$($(BIN)/python -c 'from importlib.metadata import version; print(version("ardm-compress"))')" ardm-compress

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy --strict ardm_compress
	$(BIN)/lint-imports --no-logo

$(PROGRAM): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e .
	touch $@

# torch first and by its exact version: the ranges in pyproject.toml would take whatever is newest
$(STAMP): $(PROGRAM)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@
