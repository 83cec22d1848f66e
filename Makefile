# `make demo` and `make test` are all that a newcomer needs; each sets up what it uses. Debian or Ubuntu, Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
LAB := $(PYTHON) -m tests.lab
ROOT := $(filter 0,$(shell id -u))
OWN_CLUSTER := $(filter command line,$(origin KUBECONFIG))
TEST := $(BIN)/pytest -q --durations=8
# All but those that restart the node.
ON_LAB := tests/engine tests/faults tests/cluster --ignore=tests/faults/node
BESIDE := $(MAKE) --no-print-directory --output-sync=line --jobs=2
# uv trusts whom the machine trusts, as pip does.
export UV_SYSTEM_CERTS := true
# MkDocs' theme tells each build of its successor.
export NO_MKDOCS_2_WARNING := 1
# Programs in Go collect less garbage where memory is to be had: a tenth of what Pulumi takes.
test-lab test-timed test-wide soak-lab: export GOGC := 400
# A lab of the tests' own: one that was started by hand, or by `make demo`, is left alone.
test-lab test-timed test-wide soak-lab bench docs-test screenshots: export TAILSCALE_SIDECAR_LAB_NAME := tailscale-sidecar-test

.PHONY: demo test test-code test-go test-node test-lab test-timed test-wide soak soak-node soak-lab smoke matrix bench check docs docs-serve docs-test golden schema sdk screenshots dist release publish-requirements floors setup clean

# A KUBECONFIG that is only exported is not meant: the demo then uses the lab.
demo: .venv/ready ## the main job, on a cluster and tailnet on this machine, or with KUBECONFIG=... there
	$(BIN)/python -m tests.demo $(if $(OWN_CLUSTER),--kubeconfig='$(KUBECONFIG)')

test: $(if $(ROOT),setup,.venv/ready) ## every check and test but the wide and the long ones
	+@$(BESIDE) check test-code $(if $(ROOT),test-go)
ifdef ROOT
	+@$(BESIDE) test-node test-lab
	@$(MAKE) --no-print-directory test-timed
else
	@echo "! cluster, fault and engine tests are skipped: the lab needs root (sudo make test)"
endif

test-code: .venv/ready ## what needs no lab: no root, and no Go
	$(TEST) -m "not soak" -n 2 tests/unit tests/component

# The lab's own program in Go: whoever runs no lab needs no Go.
test-go: export GOTOOLCHAIN := auto
test-go: .venv/ready
	cd tests/lab/tailnet && go vet ./... && go test ./...
	$(TEST) tests/releases
	cd .github/actionlint && go tool actionlint -shellcheck=$(CURDIR)/$(BIN)/shellcheck -pyflakes= ../workflows/*.yml

# They restart the node's programs, and wait more than they work: in a lab of their own, beside the others.
test-node soak-node: export TAILSCALE_SIDECAR_LAB_NAME := tailscale-sidecar-test-node
test-node:
	$(TEST) -m "not soak" tests/faults/node

test-lab:
	$(LAB) up
	$(TEST) -m "not soak and not timed and not wide" -n 6 --no-loadscope-reorder $(ON_LAB) \
	|| { $(LAB) down; exit 1; }

# What has to be quick is tested on a machine that is not busy.
test-timed:
	$(LAB) up
	$(TEST) -m "not soak and timed" -n 3 --no-loadscope-reorder tests/faults --ignore=tests/faults/node; \
	status=$$?; $(LAB) down; exit $$status

test-wide: setup ## the same promises in other languages, on a Headscale, with a Prometheus, after an earlier build, in each example
	$(LAB) up
	$(TEST) -m "not soak and wide" -n 6 --no-loadscope-reorder $(ON_LAB); \
	status=$$?; $(LAB) down; exit $$status

soak: setup ## the long faults, and operations at random
	+@$(BESIDE) soak-node soak-lab

soak-node:
	$(TEST) -m soak tests/faults/node

# What is downloaded comes first: from the lab's network nothing can be.
soak-lab:
	$(TEST) -m soak tests/component
	$(TEST) -m soak -n 3 $(ON_LAB)

smoke: .venv/ready ## the main job on a cluster and tailnet of your own: make smoke KUBECONFIG=...
	$(BIN)/python -m tests.smoke --kubeconfig='$(or $(and $(OWN_CLUSTER),$(KUBECONFIG)),$(error name the cluster: make smoke KUBECONFIG=...))'

# Each cell has a lab of its own, and all releases are built: hours at the first time, minutes a cell later.
matrix: .venv/ready ## the tests that are marked `matrix` on other releases, into docs/versions.md; CELLS="1.35.4/1.104.5 python ..." for some
	$(BIN)/python -m tests.matrix $(CELLS)

bench: setup ## figures beside the guide's manifest, into docs/benchmarks.md
	$(BIN)/python -m tests.bench $(PARTS); status=$$?; $(LAB) down; exit $$status

check: .venv/ready ## linters and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/mypy

docs: .venv/docs ## the docs as a site, in site/, which is not committed; a dead link is an error
	$(BIN)/mkdocs build

docs-serve: .venv/docs ## the site on this machine, made anew at each change
	$(BIN)/mkdocs serve

docs-test: .venv/docs $(if $(ROOT),setup) ## the site, by a browser where there is one; as root the dashboard, on the lab
	$(TEST) tests/site

schema: .venv/ready ## the schema of the package for other languages, from the models
	$(BIN)/python -m tailscale_sidecar.package.schema

sdk: .venv/ready ## SDKs of the package in sdk/, which is not committed, compiled with the examples where there is a compiler
	$(BIN)/python -m tests.sdks

screenshots: .venv/docs setup ## the dashboard's pictures in docs/, of a quarter of an hour on the lab
	$(BIN)/python -m tests.screenshots; status=$$?; $(LAB) down; exit $$status

golden: .venv/ready ## accept changed pod templates; the CHANGELOG has to name them
	$(BIN)/python -m tests.golden

dist: .venv/ready ## wheel, sdist, bill of materials and checksums of the last commit, checked as a user would
	$(BIN)/python -m tests.release

release: .venv/ready ## the same, where the CHANGELOG has the version; TAG=v1.2.3 for what is published
	$(BIN)/python -m tests.release --final $(if $(TAG),--tag="$$TAG")

publish-requirements: .venv/ready ## what .github/workflows/publish.yml signs and uploads with, fixed by hash
	printf 'pypi-attestations\ntwine\n' | $(BIN)/uv pip compile --quiet --constraint constraints.txt --python-version 3.11 \
	--no-header --no-annotate --generate-hashes --output-file .github/publish-requirements.txt -

# The extras raise what the component itself needs, so without them it is tested again: with the examples that need none.
floors: .venv/ready ## tests with the lowest versions that pyproject.toml allows, in environments of their own
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-floors
	$(BIN)/uv pip install --quiet --python .venv-floors --resolution lowest-direct --editable .
	$(BIN)/uv pip install --quiet --python .venv-floors --constraint constraints.txt pytest pytest-xdist hypothesis
	$(BIN)/uv pip list --python .venv-floors
	.venv-floors/bin/pytest -q -n 2 -k "not created_credentials and not device_cleanup" \
	tests/unit/test_pod_template.py tests/unit/test_refusals.py tests/unit/test_camel_case.py tests/unit/test_golden.py
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-floors
	$(BIN)/uv pip install --quiet --python .venv-floors --resolution lowest-direct --editable '.[dev]'
	$(BIN)/uv pip list --python .venv-floors
	.venv-floors/bin/pytest -q -m "not soak" -n 2 tests/unit tests/component

setup: .venv/ready ## install and build all that the tests use
	$(LAB) setup

# uv takes seconds for what takes pip most of a minute.
.venv/ready: pyproject.toml constraints.txt
	@echo "… installing Python packages into .venv"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv/docs: .venv/ready
	@echo "… installing what builds the docs into .venv"
	$(BIN)/uv pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

clean: ## stop the labs and remove what was installed here
	-$(LAB) down
	-TAILSCALE_SIDECAR_LAB_NAME=tailscale-sidecar-test $(LAB) down
	-TAILSCALE_SIDECAR_LAB_NAME=tailscale-sidecar-test-node $(LAB) down
	-TAILSCALE_SIDECAR_LAB_NAME=tailscale-sidecar-matrix $(LAB) down
	rm -rf .venv .venv-floors dist sdk site
