# Two commands do everything: `make demo` and `make test`. Each sets up what is missing and nothing else.
PYTHON ?= python3
BIN := .venv/bin
DESK := .factdesk
FUZZ_SECONDS ?= 60

.PHONY: demo chat screenshots test test-models test-ray test-training fuzz lint eval bench attacks sbom clean

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "factdesk needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/desk: .venv/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/test: .venv/desk
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: .venv/desk  ## verify the seed article with the embedded models
	$(BIN)/factdesk models pull
	$(BIN)/factdesk store add seeds/deir-ez-zor/sources.jsonl --store $(DESK)/store
	$(BIN)/factdesk verify seeds/deir-ez-zor/article.txt --profile local --store $(DESK)/store --run-dir $(DESK)/runs \
	  --html out/report.html --markdown out/report.md
	@echo "Open out/report.html in a browser."

chat: .venv/desk  ## open the chat page; the seed article is one click away
	$(BIN)/factdesk models pull
	$(BIN)/factdesk store add seeds/deir-ez-zor/sources.jsonl --store $(DESK)/store
	$(BIN)/factdesk chat --store $(DESK)/store --run-dir $(DESK)/runs

screenshots: .venv/test .venv/browser  ## take the pictures of the chat page for the docs again
	$(BIN)/python -m tests.chat.screenshots docs/images

.venv/browser: .venv/test  # a browser and axe-core where they may be had; the tests that need them skip otherwise
	@if [ ! -x /usr/bin/chromium ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || echo "no chromium: its tests are skipped"; fi
	@if [ ! -d .axe ] && command -v npm >/dev/null; then \
	  npm install --silent --no-audit --no-fund --prefix .axe axe-core@4.10.3 || echo "no axe-core: its test is skipped"; fi
	@touch $@

test: .venv/test .venv/browser lint  ## all checks and tests but those of the large model
	$(BIN)/factdesk models pull minilm-int8 minilm-tokenizer
	$(BIN)/python -m pytest -m "not model and not ray"

test-models: .venv/test  ## the tests of the embedded language model (1.1 GB)
	$(BIN)/factdesk models pull
	$(BIN)/python -m pytest -m model

test-ray: .venv/test  ## the tests of a batch on a Ray cluster of two processes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ray]'
	$(BIN)/factdesk models pull minilm-int8 minilm-tokenizer
	$(BIN)/python -m pytest -m ray

test-training: .venv/test  ## the tests of training, with PyTorch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[training]'
	$(BIN)/python -m pytest -m training

fuzz: .venv/test  ## parsers and the chat's routes under random input, ten minutes or more (FUZZ_SECONDS a target)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)
	FACTDESK_FUZZ_EXAMPLES=200 $(BIN)/python -m pytest tests/chat/test_api_fuzz.py

lint: .venv/test  ## style, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

eval: .venv/desk  ## score the small models on the smoke suite
	$(BIN)/factdesk models pull minilm-int8 minilm-tokenizer
	$(BIN)/factdesk eval run smoke --profile local --run-dir $(DESK)/runs --html out/smoke.html
	@echo "Open out/smoke.html in a browser."

bench: .venv/test  ## speed and cost; figures go to standard output
	$(BIN)/python -m evals.bench

attacks: .venv/test  ## what attacks and faults come to: docs/attacks.md, docs/poison.md, docs/faults.md (an hour)
	$(BIN)/python -m evals.attack_table
	$(BIN)/python -m evals.poison
	$(BIN)/python -m evals.faults --out docs/faults.md

sbom: .venv/desk  ## a bill of materials of what is installed (CycloneDX)
	@mkdir -p out
	$(BIN)/python -m evals.sbom > out/sbom.json

clean:
	rm -rf .venv .axe build dist out .factdesk
