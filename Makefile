# The commands of the project; `make` alone lists them. Each brings .venv up to date first (scripts/environment.py).
SHELL := /bin/sh
.DEFAULT_GOAL := help
CONFIG ?= configs/digits.yaml
BIN := .venv/bin
export TF_USE_LEGACY_KERAS := 0
export PYTHON ARGS

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: env
env: ## bring .venv up to date with this platform's lock file
	@scripts/environment.sh

.PHONY: run
run: env ## run the pipeline: make run CONFIG=configs/mnist.yaml ARGS="--set trainer.loop=gradient_tape"
	@$(BIN)/tapeline run $(CONFIG) $(ARGS)

.PHONY: test
test: env ## run the fast tests
	@$(BIN)/python -m pytest -m "not slow and not e2e and not gpu and not cluster" $(ARGS)

.PHONY: test-all
test-all: env ## run every test that needs neither a GPU nor a cluster
	@$(BIN)/python -m pytest -m "not gpu and not cluster" $(ARGS)

.PHONY: test-next
test-next: ## prove the TFX that this machine does not use, in a Debian root (Linux, as root, with debootstrap)
	@scripts/test_next.sh

.PHONY: check
check: env ## format, lint and import contracts
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo "check: run 'make format'"; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: env ## format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

.PHONY: bench
bench: env ## measure against the baselines, side by side
	@$(BIN)/python -m benchmarks.run $(ARGS)

.PHONY: bench-serving
bench-serving: env ## measure the server, beside MLServer, BentoML and FastAPI
	@$(BIN)/python -m benchmarks.serving.run $(ARGS)

.PHONY: golden
golden: env ## rewrite the golden files of the tests
	@$(BIN)/python -m pytest -q tests/pipeline/test_golden.py tests/pipeline/kubeflow/test_compile.py --golden $(ARGS)

.PHONY: docs
docs: env ## rewrite docs/settings.md, docs/record.schema.json and examples/, which are made of other files
	@$(BIN)/python scripts/settings_page.py
	@$(BIN)/python scripts/record_schema.py
	@$(BIN)/python scripts/notebooks.py

.PHONY: image
image: ## build the pipeline's image with Docker: make image VARIANT=gpu TAG=REGISTRY/tapeline:1 SBOM=sbom.json
	@scripts/build_image.sh

.PHONY: image-test
image-test: ## build the image and run a pipeline in it; skipped where no Docker engine answers
	@scripts/test_image.sh

.PHONY: lock
lock: ## resolve the lock files; make lock UPGRADE=1 takes newer versions
	@UPGRADE="$(UPGRADE)" scripts/lock.sh

.PHONY: tfjs
tfjs: ## install what `export.tfjs` needs, from its lock file (Node and npm)
	@npm ci --ignore-scripts --no-audit --no-fund --prefix trainer/export/javascript

.PHONY: clean
clean: ## remove .venv, .tools and what builds and tests leave; runs/ stays, pushed models live there
	@rm -rf .venv .tools build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .grimp_cache
	@rm -rf trainer/export/javascript/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
