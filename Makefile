# The only list of commands: people and CI call these.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# TensorFlow with CUDA where there is an NVIDIA GPU, a third of its size where there is none.
TRAIN ?= $(if $(shell command -v nvidia-smi),train,train-cpu)
DEVICES ?= cpu $(if $(shell command -v nvidia-smi),gpu)

DEMO ?= demo-$(shell date +%m%d-%H%M%S)

.PHONY: help setup demo test test-all test-store lint format bench image up down locks clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## make .venv with everything

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(TRAIN),demo,track,report,faces,aws,gcp,gce,docker]' --group dev
	touch $@

demo: setup ## train a DCGAN on real digits to its end: two to four minutes on two cores
	$(BIN)/facegan-job submit dcgan-mnist --name $(DEMO)
	$(BIN)/facegan-job pull $(DEMO) demo/$(DEMO)
	@echo "The last picture is $$(ls demo/$(DEMO)/samples/*.png | tail -n 1); the curves: $(BIN)/facegan-job ui"

test: setup ## run the tests, two files at a time
	$(BIN)/python -m pytest -m 'not long' -n 2 --dist loadfile --no-loadscope-reorder

test-all: setup ## run the tests and their long tails
	$(BIN)/python -m pytest

test-store: setup ## hold a store to its contract: make test-store STORE=s3://bucket/prefix
	FACEGAN_TEST_STORE="$(STORE)" $(BIN)/python -m pytest -m 'not long' tests/cloud/test_contract.py

lint: setup ## check format, style, layers and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: setup ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure, side by side
	$(BIN)/python -m bench

image: setup ## build the image that sessions in containers run, and where there is a GPU, the one for GPUs
	for device in $(DEVICES); do $(BIN)/facegan-job image build --device $$device || exit; done

up: ## start MLflow and an S3 store on this machine, for itself alone
	infra/stack/up

down: ## stop them; their data stay
	infra/stack/compose down
	@echo 'The data stay. To delete them too: infra/stack/compose down --volumes'

LOCK = $(BIN)/uv pip compile --constraint constraints.txt --python-platform x86_64-manylinux_2_28 \
	--python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
FROM_PROJECT = $(LOCK) pyproject.toml --extra aws --extra gcp

locks: setup ## resolve again what the images hold beside our own code
	$(BIN)/python -m pip install --quiet uv
	{ echo '# Made by: make locks' && $(FROM_PROJECT) --extra train-cpu \
	  && echo mlxtend | $(LOCK) --no-deps -; } > infra/image/requirements-cpu.txt
	{ echo '# Made by: make locks' && echo 'tensorflow[and-cuda]' | $(FROM_PROJECT) --extra train - \
	  && echo mlxtend | $(LOCK) --no-deps -; } > infra/image/requirements-gpu.txt
	{ echo '# Made by: make locks' && $(BIN)/uv pip compile infra/stack/mlflow/requirements.in --constraint constraints.txt \
	  --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet; } \
	  > infra/stack/mlflow/requirements.txt

clean: ## remove .venv and what was built
	rm -rf $(VENV) build dist *.egg-info
