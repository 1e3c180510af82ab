# Two commands: `make run` serves, `make test` checks. Both do all the set-up.

PYTHON ?= python3
EXTRAS ?=
VENV := .venv
BIN := $(VENV)/bin
LONG ?=

# `make test EXTRAS=chatterbox` adds the flagship (6 GB); everything else needs the embedded engines only.
TEST_PINS := $(if $(filter chatterbox,$(EXTRAS)),all,test)
NOT_HERE := $(if $(filter chatterbox,$(EXTRAS)),,and not chatterbox)

.PHONY: setup run test test-long bench check docs pins clean

setup: $(VENV)/.run

$(VENV)/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" \
		|| { echo "Python 3.11 to 3.13 is needed, and $(PYTHON) is not: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# pip needs --no-deps: the pins leave out what is not needed to serve (requirements/overrides.txt).
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
$(VENV)/.run $(VENV)/.test $(VENV)/.all: $(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -r requirements/$*.txt
	$(INSTALL) --editable .
	@touch $@

run: setup
	$(BIN)/chatterbox serve

check: $(VENV)/.$(TEST_PINS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check
	$(BIN)/python -m pytest -m "not long $(NOT_HERE)"

test-long: $(VENV)/.$(TEST_PINS)
	$(BIN)/python -m pytest -m "long $(NOT_HERE)"

bench: $(VENV)/.test
	$(BIN)/python -m bench

# What is generated; the tests fail where it differs.
docs: setup
	$(BIN)/python -m service.config.reference > docs/settings.md
	$(BIN)/python -m service.api.reference > docs/errors.md
	for page in metrics spans logs; do $(BIN)/python -m telemetry.reference $$page > docs/$$page.md; done

# Needs uv. No index address is written, so the pins work with any package index.
pins:
	for pins in "run --extra embedded" "test --extra embedded --extra test" \
		"all --extra embedded --extra test --extra chatterbox"; do \
		set -- $$pins; name=$$1; shift; \
		uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header \
			--override requirements/overrides.txt "$$@" pyproject.toml -o requirements/$$name.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
