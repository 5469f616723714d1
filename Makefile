# Every target works alone on a fresh clone: `make demo`, `make test`.
.PHONY: install demo test check bench study fmt docs real-model
PY := .venv/bin/python
STAMP := .venv/.installed

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	python3 -m venv .venv
	.venv/bin/pip install -q -c constraints.txt -e ".[dev]"
	touch $(STAMP)

demo: install
	.venv/bin/meow demo

test: install
	$(PY) -m pytest

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PY) docs/generate.py --check

docs: install
	$(PY) docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

bench: install
	rm -f benchmarks/results.jsonl
	for name in memo train memory eval values; do $(PY) -m benchmarks.$$name | tee -a benchmarks/results.jsonl; done

real-model: install
	$(PY) scripts/real_model.py

study: install
	$(PY) -m benchmarks.study

fmt: install
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
