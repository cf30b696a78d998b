# Everything is done from a bare checkout: each target makes .venv when it is missing and installs, with
# hashes, what it needs. Nothing is installed again until the interpreter or a requirements file changes.
#
# PYTHON chooses the interpreter: `make test PYTHON=python3.11`. Without it, the first of these that runs.

CANDIDATES := python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python3.13 \
	python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python3.12 \
	python3.11 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.11.*/bin/python3.11 python3

VENV := .venv
SCANNER := .venv-checkov
INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes
# Stamps. The first one's name holds the choice of interpreter, so another choice makes another environment.
PYTHON_MADE := $(VENV)/.made-with-$(or $(subst /,-,$(PYTHON)),default)
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: bench fuzz run test lint mutants package openapi images plan lock scan simulate
.DELETE_ON_ERROR:

run: $(INSTALLED)
	@$(VENV)/bin/python -m local $(if $(PORT),--port $(PORT))

# On all cores, up to four: a worker and its emulators take a gigabyte, and more of them would wait for the longest folder.
test: lint
	@$(VENV)/bin/python -m pytest -n logical --maxprocesses 4

# Rules and format, types, which room imports which, what nothing uses, and which packages are declared.
lint: $(INSTALLED_DEV)
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo
	@$(VENV)/bin/vulture
	@$(VENV)/bin/deptry .

# What an independent scanner says of the Terraform, but for what tests/infra/accepted.py accepts and why. It asks nobody.
scan: $(SCANNER)/.installed
	@$(SCANNER)/bin/python -m tests.infra.scan $(SCANNER)/bin/checkov

# Everything that is measured, with each goal beside it: some seven minutes. docs/performance.md says what is meant.
bench: $(INSTALLED)
	@$(VENV)/bin/python -m bench

# What the supplier may say, fuzzed by coverage: `make fuzz RUNS=1000000`. On Linux, with Python 3.12 or newer.
fuzz: $(INSTALLED_DEV)
	@for what in answers files; do $(VENV)/bin/python -m tests.hostile.fuzz $$what -runs=$(or $(RUNS),100000) || exit 1; done

# Seeded histories on all cores: `make simulate SEEDS=n` (and FIRST=s to begin elsewhere); SEED=s replays one and tells it.
SEEDS := 20000
FIRST := 1
simulate: $(INSTALLED_DEV)
	@$(VENV)/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST))

# Mistakes planted at random in the core: `make mutants N=500 SEED=1` lists those that no test notices. With Python 3.12 or newer.
mutants: $(INSTALLED_DEV)
	@$(VENV)/bin/python -m tests.mutation --count $(or $(N),500) --seed $(or $(SEED),1)

package: $(PYTHON_MADE)
	@$(VENV)/bin/python -m local.package

openapi: $(INSTALLED)
	@$(VENV)/bin/python -m local.openapi

# Which digests the versions of the builds' images have now: written beside them, to be read and committed.
images: $(INSTALLED)
	@$(VENV)/bin/python -m local.images

# What an environment would change, with the real provider: `make plan ENV=uat`, by someone who may read that project.
plan: package $(INSTALLED)
	@test -f infra/terraform/environments/$(ENV).tfvars || { echo "ENV must be uat, staging or production" >&2; exit 1; }
	@cd infra/terraform && export TF_DATA_DIR=.terraform/$(ENV) && \
	  terraform init -input=false -backend-config=environments/$(ENV).gcs.tfbackend && \
	  terraform plan -input=false -lock=false -var-file=environments/$(ENV).tfvars -out=$(ENV).tfplan && \
	  terraform show -json $(ENV).tfplan > ../../build/$(ENV).plan.json
	@$(VENV)/bin/python -m tests.infra.policies build/$(ENV).plan.json

# Takes the newest versions that fit; --universal, because the functions run where no developer does.
lock: $(INSTALLED_DEV)
	@for name in requirements requirements-dev requirements-checkov; do \
	  $(VENV)/bin/uv pip compile $$name.in --output-file $$name.txt --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet || exit 1; \
	done

# A candidate has to prove itself: a pyenv shim is on PATH even when it starts nothing, and Debian packs venv apart.
define MAKE_ENVIRONMENT
	@for python in $(or $(PYTHON),$(CANDIDATES)); do \
	  "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  echo "making $(1) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(1) && touch $@; exit; \
	done; echo "$(or $(PYTHON),no python on PATH) is not a Python 3.11 or newer with venv: set PYTHON to one" >&2; exit 1
endef

$(PYTHON_MADE):
	$(call MAKE_ENVIRONMENT,$(VENV))

$(SCANNER)/.made:
	$(call MAKE_ENVIRONMENT,$(SCANNER))

$(SCANNER)/.installed: requirements-checkov.txt $(SCANNER)/.made
	@echo "installing $<"
	@$(SCANNER)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(INSTALLED): requirements.txt $(PYTHON_MADE)
	@echo "installing $<"
	@$(INSTALL) -r $<
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	@echo "installing $<"
	@$(INSTALL) -r $<
	@touch $@
