# Two commands matter: `make run` and `make test`. ARGS passes arguments on:
#   make test ARGS="-k reset -x"      make run ARGS="--workers 2"      PORT=9000 make run
.DEFAULT_GOAL := help
.PHONY: help run test bench lint format lock upgrade clean
ARGS ?=
PYTHON_IN_VENV := .venv/bin/python
ANY_PYTHON = $(or $(wildcard $(PYTHON_IN_VENV)),python3)

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Install what is missing and start Watchword in development mode, on SQLite
	@exec tools/serve $(ARGS)

test: ## Lints, then every test on SQLite and on a PostgreSQL of its own
	@tools/venv test
	@exec $(PYTHON_IN_VENV) -m tools.test $(ARGS)

# In environments of its own, below .venv; takes some 15 minutes and writes docs/benchmarks.md.
bench: ## Measure against others; ONLY=hot_path (verify, storm, …) for one part
	@tools/venv run
	@exec $(PYTHON_IN_VENV) -m bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

lint: ## Lints and types only
	@tools/venv test
	@exec $(PYTHON_IN_VENV) -m tools.test --only-lints

format: ## Put every file into its one format
	@tools/venv test
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

# Not through tools/venv: it would stop at the very files that are to be re-made.
lock: ## Re-make requirements/ after a change in pyproject.toml (by uv; installs it for the moment)
	@exec $(ANY_PYTHON) -m tools.lock

upgrade: ## Re-make requirements/ with the newest that pyproject.toml allows
	@exec $(ANY_PYTHON) -m tools.lock --upgrade

clean: ## Remove .venv and caches; data and settings stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov dist
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
