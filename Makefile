# Everything sets itself up: Python 3.11 or newer and its venv module are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
DOCS := .venv-docs
MANIFESTS := .venv-manifests
EXTRAS := contract,metrics,re2,redis,tls,tokens,vcr
PIP := -m pip install -q --disable-pip-version-check
KUBERNETES ?= 1.37
ARGS ?=
PEERS ?=
# Where it is set, as in many containers, each process that a test starts compiles the package again, and a pytest all of
# its plugins and tests: half of a start. Empty is not set.
export PYTHONDONTWRITEBYTECODE :=
# What meets the dependencies: the wire, the server, the control API, the client's side, files, recording, the contract.
OLDEST_TESTS ?= $(addprefix tests/test_, $(addsuffix .py, admit client_saw clock config control control_document disturb \
  faults_on_the_wire fixture_files jsonvalue_refusals live packaging pattern performer plugin profiles recording_proxy \
  recording_secrets recording_wire serve server session synthetic uvicorn_fit wire contract_judging contract_strategies))

.PHONY: serve test test-oldest test-clients check format tables field contract-score screenshots docs bench manifests \
  image image-check release clean

serve: $(VENV)/.runtime  ## Serve on 127.0.0.1:8777; more flags with ARGS="--port 9000 --edition 2025-reference"
	@exec $(BIN)/genstudio-mock serve $(ARGS)

test: $(VENV)/.dev  ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -q $(ARGS)

test-oldest: $(OLDEST)/.dev  ## The same with the lowest versions that are allowed; OLDEST_TESTS=tests runs all of them
	$(OLDEST)/bin/python -m pytest -n 2 --dist loadfile -q -k 'not schemathesis' $(OLDEST_TESTS) $(ARGS)

test-clients: $(VENV)/.dev  ## Run agent frameworks against the mock; ARGS=--write writes docs/clients.md, ARGS=NAME runs one
	$(BIN)/python -m tests.frameworks $(ARGS)

check: $(VENV)/.dev  ## Lint and type-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tables: $(VENV)/.dev  ## Write the tables of the documents that mirror code
	$(BIN)/python -m tests.tables

field: $(VENV)/.dev  ## Try the SDKs on every dialect of edition field, and write the matrix into both READMEs; needs npm
	$(BIN)/python -m tests.field_matrix

contract-score: $(VENV)/.dev  ## Measure what the contract, fuzz and learn find, and write docs/contract.md; ARGS=mutants runs one part
	$(BIN)/python -m tests.score $(ARGS)

screenshots: $(VENV)/.dev  ## Take the READMEs' pictures of the inspector anew; ARGS=DIR takes all views there
	$(BIN)/python -m tests.screenshots $(ARGS)

docs: $(DOCS)/.ready  ## Build the documents as a site, in build/site; a wrong link is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m tests.site

bench: $(VENV)/.dev  ## Measure, as ratios against a bare ASGI app in the same run; PEERS=1 measures other mocks too
	PEERS=$(PEERS) $(BIN)/python -m bench $(ARGS)

manifests: $(MANIFESTS)/.ready  ## Hold deploy/kubernetes to the schemas of Kubernetes; KUBERNETES=1.30 takes another version's
	$(MANIFESTS)/bin/kubernetes-validate --strict --kubernetes-version $(KUBERNETES) \
	  deploy/kubernetes/deployment.yaml deploy/kubernetes/service.yaml deploy/kubernetes/hpa.yaml deploy/kubernetes/pdb.yaml

image:  ## Build the container image of this version with buildah; see the head of Dockerfile for other tools
	version="$$($(PYTHON) -m mockserver --version | cut -d' ' -f2)" && \
	  buildah bud --format docker --isolation chroot --build-arg VERSION="$$version" \
	    --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" -t "genstudio-mock:$$version" $(ARGS) .

image-check: $(VENV)/.dev  ## Run that image as an engine would; needs root and buildah; IMAGE=NAME runs another one
	unshare --net sh -c 'ip link set lo up && exec "$$@"' sh $(BIN)/python -m pytest -q tests/image_check.py $(ARGS)

release: $(VENV)/.dev  ## Check, build, tag and make the image of the version in mockserver/__init__.py; publishes nothing
	$(BIN)/python deploy/release.py $(ARGS)

clean:
	rm -rf $(VENV) $(OLDEST) $(DOCS) $(MANIFESTS) build dist .mypy_cache .ruff_cache .hypothesis

$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --upgrade 'pip>=25.1'
	$(BIN)/python $(PIP) -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python $(PIP) -c constraints.txt -e '.[$(EXTRAS)]' --group dev
	touch $@

$(OLDEST)/.dev: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(OLDEST)/bin/python $(PIP) --only-binary :all: -c constraints-oldest.txt -e '.[$(EXTRAS)]' --group tests
	touch $@

$(DOCS)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(DOCS)/bin/python $(PIP) --group docs
	touch $@

$(MANIFESTS)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(MANIFESTS)
	$(MANIFESTS)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(MANIFESTS)/bin/python $(PIP) --group manifests
	touch $@
