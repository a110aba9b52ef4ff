# Every target does its own set-up: `make run` or `make test` is all a fresh clone needs.

# Empty: /usr/bin/python3 if it is recent enough, else the python3 of the PATH (scripts/make-venv.sh).
PYTHON ?=
BIN    := .venv/bin
STAMP  := .venv/.installed
DEBIAN := scripts/require-debian.sh

# Compiled files save a second in each of the many processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run up test faults mutants check bench bench-flow lock package boot-test

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv with the locked dependencies and notify itself

# Done again only when the lock or the project's description changed.
$(STAMP): requirements.lock pyproject.toml
	PYTHON="$(PYTHON)" scripts/make-venv.sh
	@touch $@

run: install ## Start everything, send the sample notifications, show how each ended
	@$(DEBIAN) rabbitmq-server
	@$(BIN)/notify demo

up: install ## The same stack, until Ctrl-C, for experiments
	@$(DEBIAN) rabbitmq-server
	@$(BIN)/notify up

test: install ## All tests, on a real RabbitMQ and real databases; RELEASE=13: on that Debian
ifdef RELEASE
	@$(BIN)/python -m tests.debian $(RELEASE) make test ARGS="$(ARGS)"
else
	@$(DEBIAN) rabbitmq-server postgresql pgbouncer amqp-tools prometheus nghttp2-server nghttp2-proxy \
		default-jre-headless nginx-light curl chromium-headless-shell libatomic1
	@TMPDIR=$$(scripts/test-folder.sh) $(BIN)/pytest -n 4 --dist worksteal --durations 20 $(ARGS)
endif

faults: install ## Inject faults into a real installation, and count losses (docs/guarantees.md)
	@$(DEBIAN) rabbitmq-server postgresql
	@$(BIN)/python -m tests.faults $(ARGS)

mutants: install ## Break the code at random and count the breaks that tests notice (CONTRIBUTING.md)
	@$(DEBIAN) rabbitmq-server postgresql
	@test -x build/mutants/bin/pip || $(BIN)/python -m venv build/mutants
	@build/mutants/bin/pip install --quiet --disable-pip-version-check cosmic-ray==8.7.0
	@nice -n 10 build/mutants/bin/python scripts/mutants.py $(ARGS)

check: install ## Style, types, layers, docstrings, and how exposed each systemd service is
	@$(DEBIAN) systemd
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/interrogate notify providers
	@for unit in systemd/*.service; do \
		exposure=$$(systemd-analyze security --no-pager --offline=true --threshold=15 "$$unit") || bad=1; \
		echo "$$exposure" | tail -n 1; \
	done; test -z "$$bad"

bench: install ## Measure against plain Celery and the bare broker (benchmarks/README.md)
	@$(DEBIAN) rabbitmq-server postgresql nginx-light
	@$(BIN)/python -m benchmarks $(ARGS)

bench-flow: install ## Measure a fleet's flow control against targets (benchmarks/README.md)
	@$(DEBIAN) rabbitmq-server postgresql nginx-light
	@$(BIN)/python -m benchmarks.flow $(ARGS)

lock: install ## Resolve the dependencies again and write requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --python-version 3.11 \
		--universal --no-header --quiet --upgrade -o requirements.lock

package: install ## Audit the lock, build the wheel and a Debian package that needs no network, into dist
	@$(BIN)/python scripts/audit.py $(if $(filter optional,$(AUDIT)),--optional)
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel
	@$(BIN)/python scripts/runtime-lock.py <requirements.lock | \
		$(BIN)/python scripts/sbom.py "$$($(BIN)/hatchling version)" >dist/sbom.cdx.json
	@scripts/make-deb.sh dist/*.whl
	@ls -sh1 dist

boot-test: install ## Boot the package in a container, and inject faults there; RELEASE=13: on that Debian
	@$(BIN)/python -m tests.boot $(if $(RELEASE),--release $(RELEASE))
