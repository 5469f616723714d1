# Every target works alone on a fresh clone: `make demo`, `make test`.
.PHONY: install build demo test check mutants bench meta gpu study fmt docs real real-model
PY := .venv/bin/python
STAMP := .venv/.installed

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	python3 -m venv .venv
	.venv/bin/pip install -q -c constraints.txt -e ".[dev]"
	touch $(STAMP)

build: install
	$(PY) -m pip wheel -q --no-deps -w dist .

demo: install
	.venv/bin/meow demo

test: install
	$(PY) -m pytest

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PY) docs/generate.py --check

mutants: install
	$(PY) scripts/mutants.py

docs: install
	$(PY) docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

bench: install
	rm -f benchmarks/results.jsonl
	for name in memo train memory eval values; do $(PY) -m benchmarks.$$name | tee -a benchmarks/results.jsonl; done

real-model: install
	$(PY) scripts/real_model.py

real: real-model
	.venv/bin/meow known examples/facts/france/forget.jsonl --model_name_or_path .models/smollm2 --save-path runs/known.jsonl
	.venv/bin/meow run examples/france.yaml
	.venv/bin/meow run examples/value.yaml

meta: install
	$(PY) -m benchmarks.meta

gpu:
	[ ! -d ../shared ] || $(or $(wildcard $(PY)),python3) -m benchmarks.gpu --pack
	PYTHONPATH=src:$$PYTHONPATH $(or $(wildcard $(PY)),python3) -m benchmarks.gpu

study: install
	for ground in embedded forget05; do $(PY) -m benchmarks.study --ground $$ground; done

fmt: install
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
