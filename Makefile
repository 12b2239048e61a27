# Every target but help builds .venv from the locks first; nothing is installed outside this folder.
.PHONY: help setup data train feedback annotate annotate-stop annotate-tasks report test test-fast test-faults lint bench bench-dedupe bench-train bench-loop doctor lock sample clean-venv
.DEFAULT_GOAL := help
# `make data train` means first the one, then the other, whatever -j says.
.NOTPARALLEL:

PYTHON  ?= python3
# A CPU build is taken where pip is set up to find one; name a CUDA build with TORCH=...
TORCH   ?= torch==2.13.0
RECIPE  ?=
DATA    ?= data
QUEUE   ?=
PORT    ?= 8080
MINUTES ?= 20
SHARE   ?= 1
VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check -q
STAMP   := $(VENV)/.installed-$(shell cat locks/*.txt pyproject.toml | cksum | cut -d' ' -f1)-$(shell echo '$(TORCH)' | cksum | cut -d' ' -f1)
RUN     := $(BIN)/tuneloop
OPTIONS := $(if $(RECIPE),--recipe $(RECIPE)) --data-root $(DATA)

help:  ## Show this help
	@echo "tuneloop: instruction-tuning data that people have checked"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  RECIPE=my.toml   the recipe (default: the sample recipe)"
	@echo "  DATA=dir         the store, or s3://bucket/prefix (default: data)"
	@echo "  QUEUE=file       where make feedback writes tasks instead of sending them"
	@echo "  MINUTES=20       how long make bench may take"
	@echo "  SHARE=0.05       which part of make test-faults to run (default: all)"
	@echo "  TORCH=spec       what to install as torch (default: $(TORCH))"

setup: $(STAMP)  ## Build .venv from the locks (every other target does it when needed)

# Hashes are checked for all but torch, whose build depends on the machine. --no-deps: the locks are whole.
$(STAMP):
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --no-deps -r locks/core.txt
	$(PIP) install --require-hashes --no-deps -r locks/train.txt
	$(PIP) install $(TORCH)
	$(PIP) install --no-deps --no-build-isolation -e .
	@# The one thing missing on purpose: see locks/overrides.txt.
	! $(PIP) check | grep -v -e "No broken requirements" -e "label-studio-sdk .* requires opencv-python-headless"
	$(BIN)/python -m pipeline.warm
	@rm -f $(VENV)/.installed-*
	@touch $@

data: setup  ## Make the data: ingest, dedupe, format, annotate, split
	@$(RUN) data $(OPTIONS)

train: setup  ## Train on the newest split, judge the model, write its report
	@$(RUN) train $(OPTIONS)

feedback: setup  ## Send what the model found suspicious to Label Studio; without one, write it to queue.json
	@$(RUN) feedback $(if $(QUEUE),--to $(QUEUE)) $(OPTIONS)

annotate: setup  ## Start a local Label Studio, make its projects and push what waits
	@$(RUN) annotate start --port $(PORT) $(OPTIONS)

annotate-stop: setup  ## Stop the local Label Studio
	@$(RUN) annotate stop --data-root $(DATA)

annotate-tasks: setup  ## Write tasks.json, ready to import into Label Studio
	@$(RUN) annotate tasks --to tasks.json $(OPTIONS)

report: setup  ## Write the page about the data, and name the page of the newest training run
	@$(RUN) report $(OPTIONS)

test: setup lint  ## Run the whole offline test suite, linters and types
	@$(BIN)/pytest -n $(shell nproc) --dist loadfile

test-fast: setup  ## Run the tests that take under five seconds each
	@$(BIN)/pytest -n $(shell nproc) --dist loadfile -m "not slow and not shared"

test-faults: setup  ## Kill, fill, cut, flip and lie: print one table of what came of it
	@PYTHONPATH=$(CURDIR) $(BIN)/python tests/faults --share $(SHARE)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@# Of benchmarks no more than that what they call is there and takes what they give.
	@cd tests/bench && MYPYPATH=$(CURDIR) $(CURDIR)/$(BIN)/mypy --config-file= --cache-dir $(CURDIR)/.mypy_cache/bench --check-untyped-defs --ignore-missing-imports --follow-imports=silent --explicit-package-bases $(addprefix --disable-error-code=,assignment misc union-attr index var-annotated arg-type) *.py
	@cd data/sample/generator && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache/generator --strict *.py

bench: setup  ## Run the benchmarks that fit into MINUTES and write docs/benchmarks.md
	@$(BIN)/python tests/bench --minutes $(MINUTES)

bench-dedupe: setup  ## Run the stage dedupe against datatrove and text-dedup (their own venvs) on the same rows
	@$(BIN)/python tests/bench/dedupe_against_peers.py

bench-train: setup  ## Train beside TRL (its own venv) on the same base, rows, batch and steps
	@$(BIN)/python tests/bench/train_against_trl.py

bench-loop: setup  ## What a turn of train, rank, review, retrain is worth, on planted wrong answers (hours; goes on)
	@PYTHONPATH=$(CURDIR) $(BIN)/python tests/bench/loop_gain.py

doctor: setup  ## Check the installation and the store
	@$(RUN) doctor --data-root $(DATA)

sample: setup  ## Make data/sample again with its generator
	@$(BIN)/python data/sample/generator --to data/sample

# uv is used for locking only; people install with pip.
lock:  ## Write locks/*.txt anew from pyproject.toml
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip -q install uv
	.venv-lock/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header -q \
	  --override locks/overrides.txt --upgrade -o locks/core.txt
	.venv-lock/bin/uv pip compile pyproject.toml --extra train --universal --generate-hashes --no-header -q \
	  --override locks/overrides.txt -c locks/core.txt --no-emit-package torch --no-emit-package triton --no-emit-package cuda-bindings \
	  --no-emit-package cuda-pathfinder --no-emit-package cuda-toolkit $(addprefix --no-emit-package nvidia-, \
	  cublas cuda-cccl cuda-cupti cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile cusolver cusparse \
	  cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx curand nvtx-cu13) -o locks/train.txt
	rm -rf .venv-lock

clean-venv:  ## Remove .venv
	rm -rf $(VENV)
