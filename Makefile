# SPDX-License-Identifier: BSD-2-Clause
# Everything here runs in environments that uv makes from uv.lock; nothing needs activating.

RUN := uv run --group lint --group docs

.PHONY: help check lint types docs notebooks generated regenerate format test formal bitstream lowest clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

check: lint types docs generated ## what CI runs besides the tests

lint: ## ruff: rules and layout
	$(RUN) ruff check
	$(RUN) ruff format --check

types: ## mypy, strict
	$(RUN) mypy

docs: ## the site in docs/_build/html; a warning is an error
	$(RUN) sphinx-build --fresh-env --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

notebooks: ## the notebooks executed, and the site with what they gave
	uv run pytest tests/test_notebooks.py
	$(MAKE) docs

# The latency ledger is compared by pytest: it takes a simulated board.
generated: ## committed files that are generated are what their sources say
	$(RUN) python -m triplane.gateware.registers docs/registers.md --check
	$(RUN) python -m triplane.gateware.sequencer.specification docs/isa.md --check
	$(RUN) python -m triplane.gateware.link.records.dissector gateware/link/records/triplane.lua --check
	$(RUN) python -m triplane.firmware.build --check

regenerate: ## write them anew
	$(RUN) python -m triplane.gateware.registers docs/registers.md
	$(RUN) python -m triplane.gateware.sequencer.specification docs/isa.md
	$(RUN) python -m triplane.gateware.link.records.dissector gateware/link/records/triplane.lua
	$(RUN) python -m triplane.firmware.build
	$(RUN) python -m triplane.host.bench.latency_ledger docs/latency-ledger.json

format: ## mend what ruff can mend
	$(RUN) ruff check --fix
	$(RUN) ruff format

test: ## the tests, on the locked versions
	uv run pytest

formal: export FORMAL := all
formal: ## all proofs, also those that take minutes; what was proven stays in the cache
	uv run --extra formal pytest tests/formal --durations=0

bitstream: export BITSTREAM := 1
bitstream: ## the ECPIX-5 placed and routed, timing met; what was built stays in the cache
	uv run --extra synth pytest tests/boards/test_ecpix5.py --durations=0

# The lowest versions that pyproject.toml admits, in an environment of their own; uv.lock is not touched.
lowest: export UV_PROJECT_ENVIRONMENT := .venv-lowest
lowest: export VIRTUAL_ENV := .venv-lowest
lowest: ## the tests, on the lowest versions that pyproject.toml admits
	uv venv --quiet --clear .venv-lowest
	uv pip install --quiet --resolution lowest-direct --group dev --editable .
	.venv-lowest/bin/python -m pytest

clean: ## what this file makes, and nothing else
	rm -rf docs/_build build dist .venv-lowest .venv-pynq .mypy_cache .ruff_cache .pytest_cache
