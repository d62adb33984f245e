# Every task of this project: `make help` lists them.
#
# Only relative paths, so that a checkout may live below a folder with spaces in its name.

.DEFAULT_GOAL := help
.PHONY: help setup lock demo run test check format bench faults clean
MAKEFLAGS += --no-print-directory

# The first Python on the path that is new enough; choose another with PYTHON=/path/to/python.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)
VENV := .venv/bin

# Another project's value in the shell would reach every Django command.
export DJANGO_SETTINGS_MODULE := novitai.settings

# Tests can never reach a real account: what names one does not get in. They have a data folder of
# their own, so that they neither see nor stop what `make run` keeps.
HERMETIC := env -u NOVITA_API_KEY -u NOVITA_API_KEY_FILE -u NOVITA_API_BASE_URL -u NOVITAI_ENV \
	-u WEBHOOK_SECRET -u WEBHOOK_SECRET_FILE -u SECRET_KEY -u SECRET_KEY_FILE \
	-u REGIONS -u DEFAULT_REGION DATA_DIR=.data/tests
# `make test ARGS="tests/flows -k demo"` chooses; -n 0 runs in one process.
ARGS ?= -n 4

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## install everything into .venv; again only when the requirements change
	@"$(or $(PYTHON),python3)" scripts/setup.py

lock: setup ## remake locks/*.txt after a change of requirements
	@sh scripts/lock.sh

demo: setup ## watch one instance from request to signed webhook, on a simulated Novita (30 s)
	@exec "$(VENV)/python" -m devtools.launcher demo

run: setup ## serve in the foreground until Ctrl-C; PORT=8000, DATA_DIR=.data, README.md has more
	@exec "$(VENV)/python" -m devtools.launcher run

test: setup ## run the tests; ARGS="-k word" passes options to pytest
	@exec $(HERMETIC) "$(VENV)/python" -m pytest $(ARGS)

check: setup ## every static check: style, types, layers, migrations, settings, API schema
	@exec $(HERMETIC) sh scripts/check.sh

format: setup ## rewrite the code in its style
	@"$(VENV)/python" -m ruff check --quiet --fix-only .
	@"$(VENV)/python" -m ruff format --quiet .

# PART=api, webhooks, compare, recovery or engine measures one part; a full run rewrites docs/benchmarks.*.
bench: ## the job engine beside its peers, half an hour; QUICK=1 for 4 minutes, ROUNDS=5
	@"$(or $(PYTHON),python3)" scripts/setup.py bench
	@exec $(HERMETIC) .venv-bench/bin/python -m devtools.benchmarks

# ONLY=F2 SEED=17 replays one run; RUNS=50 plays so many seeds; a full run rewrites docs/reliability.md.
faults: setup ## kill, freeze and cut off what can be, half an hour; QUICK=1 for 6 minutes, ONLY=F2
	@exec $(HERMETIC) "$(VENV)/python" -m devtools.faults

clean: ## remove .venv and caches; keeps .data, the database of `make run`
	@rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
