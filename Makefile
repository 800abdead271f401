# `make help` lists what there is. Everything runs inside .venv, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_SECONDS ?= 3600

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types bench bench-scanner bench-discovery chaos chaos-copies chaos-discovery contracts fuzz clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt $(wildcard scanner/kernel/*.c scanner/kernel/*.h)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

install: $(STAMP)  ## make .venv and install the project into it

demo: $(STAMP)  ## watch the whole system work on made-up people (no Kafka, no Amplitude)
	$(BIN)/dsr demo

test: $(STAMP)  ## the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## exactly what CI runs

bench: $(STAMP)  ## the figures of tests/benchmarks/RESULTS.md, half an hour (needs a real Kafka)
	$(BIN)/python -m tests.benchmarks.codec_rate
	$(BIN)/python -m tests.benchmarks.intake_rate
	$(BIN)/python -m tests.benchmarks.lane_utilisation
	$(BIN)/python -m tests.benchmarks.many_lanes
	$(BIN)/python -m tests.benchmarks.ledger_restore

bench-scanner: $(STAMP)  ## the scanner against inflating alone, against other scanners, and what it finds (20 minutes)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m tests.benchmarks.scanner_rate
	$(BIN)/python -m tests.benchmarks.scanner_peers
	$(BIN)/python -m tests.benchmarks.scanner_found

chaos: $(STAMP)  ## kill, freeze and fault everything under 10,000 requests, and judge the outcomes (about 4 minutes)
	$(BIN)/python -m tests.chaos.run

contracts: $(STAMP)  ## write schemas/index.json, asyncapi.yaml, dashboards, the chart's alerts and parts of docs/ from what they are made of
	$(BIN)/python -m schemas
	$(BIN)/python -m tests.contract.test_asyncapi
	$(BIN)/python deploy/grafana/build.py
	cp deploy/prometheus/alerts.yml deploy/helm/amplitude-dsr/files/alerts.yml
	$(BIN)/python docs/build.py

chaos-copies: $(STAMP)  ## the same for copies: 2,000 packages, opened and compared with the truth (about 8 minutes)
	$(BIN)/python -m tests.chaos.copies

chaos-discovery: $(STAMP)  ## the same for discovery: 500 windows, three workers, and the truth beside it (about 8 minutes)
	$(BIN)/python -m tests.chaos.discovery

bench-discovery: $(STAMP)  ## an export of 4 GB through a worker, and a simulation of a hundred (15 minutes, 4 GB of disk)
	$(BIN)/python -m tests.benchmarks.discovery_stream
	$(BIN)/python -m tests.benchmarks.discovery_simulation

fuzz: $(STAMP)  ## compare the scanner's engines, then fuzz its kernel under sanitizers, FUZZ_SECONDS (an hour) each
	$(BIN)/python -m tests.fuzz.differential all --seconds $(FUZZ_SECONDS)
	$(BIN)/python -m tests.fuzz.run $(FUZZ_SECONDS)

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
