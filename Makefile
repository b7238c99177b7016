# keepclean: `make` alone prints this help.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: help setup demo test lint bench soak boards schema clean

help:  ## print this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## set up, and say where the command keepclean is
	@echo "the command: $(abspath $(BIN))/keepclean   (for this shell: alias keepclean=$(abspath $(BIN))/keepclean)"

demo: $(READY)  ## set up, build five weeks of history, run the simulated shop live (Ctrl-C ends it)
	@$(BIN)/keepclean demo $(ARGS)

test: $(READY_DEV)  ## set up and pass every test
	@tests/setup/servers.sh
	@$(BIN)/python tests/setup/run.py

lint: $(READY_DEV)  ## ruff, mypy --strict, import rules
	@$(BIN)/python tests/setup/run.py static

bench: $(READY_DEV)  ## benchmarks, as docs/benchmarks.md has them (ARGS="ticks windows --small" for some, quickly)
	@$(BIN)/python benchmarks/run.py $(ARGS)

soak: $(READY_DEV)  ## hours of proof; writes docs/proof/*.json (ARGS="kill modbus fuzz faults workers way" for some)
	@$(BIN)/python benchmarks/soak.py $(ARGS)

boards: $(READY)  ## write deploy/grafana, docs/plant.schema.json and the table of docs/meters.md anew from the code
	@$(BIN)/keepclean grafana files examples/electroplating/plant.yaml --out deploy/grafana
	@$(BIN)/python -m plant.schema docs/plant.schema.json
	@$(BIN)/python -m collectors.meters

schema:  ## typecheck every board against Grafana's npm packages, 9.4 and recent (needs node and the network)
	@$(PYTHON) tests/dashboards/schema_npm/check.py

clean:  ## remove the environment and the demo's data
	rm -rf $(VENV) .demo

$(READY): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" tests/setup/environment.sh $(VENV) requirements.lock
	@touch $@

$(READY_DEV): requirements-dev.lock pyproject.toml
	@PYTHON="$(PYTHON)" tests/setup/environment.sh $(VENV) requirements-dev.lock
	@touch $@ $(READY)
