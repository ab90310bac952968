# Two commands are all a newcomer needs: `make demo` and `make test`. Both make .venv first.
.POSIX:
PYTHON = python3
BIN = .venv/bin
INSTALLED = .venv/.installed
ENGINES_BIN = .venv-engines/bin
ENGINES_INSTALLED = .venv-engines/.installed
ENGINES_SECONDS = 2400

.PHONY: help install demo test test-verl test-engines lint format docs constraints clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED) ## make .venv with everything that the demo and the tests need

# pip takes the exact versions of constraints.txt; the stamp is redone when what it depends on changes.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(INSTALLED)

demo: $(INSTALLED) ## train a miniature with HERO, verifier-only and RM-only, and show who wins
	$(BIN)/hero demo

# One thread a process: with two pytest workers on two cores, more threads only get in each other's way.
test: $(INSTALLED) ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

# verl and vLLM want an older transformers than constraints.txt has, so they have an environment of their own, in exactly
# the versions of constraints-engines.txt: nothing is resolved, and what vLLM asks for and never imports is left out. Its
# build for CPUs wants the CPU's torch; where pip's index has another one, PIP_EXTRA_INDEX_URL says where that is. TRL
# lies in a folder of its own, since verl does not train where a TRL of today can be imported.
$(ENGINES_INSTALLED): pyproject.toml constraints-engines.txt tests/engines/on_cpu/pyproject.toml
	test -x $(ENGINES_BIN)/python || $(PYTHON) -m venv .venv-engines
	$(ENGINES_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints-engines.txt
	$(ENGINES_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . \
	  --editable tests/engines/on_cpu
	$(ENGINES_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt \
	  --upgrade --target .venv-engines/trl trl
	touch $(ENGINES_INSTALLED)

# Ray and verl leave sockets and an event loop open, which is theirs and not a failure. The limit ends what hangs; the
# tests then end what they have started.
test-verl: $(ENGINES_INSTALLED) ## run the tests on the real verl that need no engine: 4 minutes
	OMP_NUM_THREADS=1 timeout --signal=INT --kill-after=120 $(ENGINES_SECONDS) $(ENGINES_BIN)/python -m pytest \
	  tests/verl -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

test-engines: $(ENGINES_INSTALLED) ## run the tests on the real verl and vLLM, on the CPU: 17 minutes
	OMP_NUM_THREADS=1 timeout --signal=INT --kill-after=120 $(ENGINES_SECONDS) $(ENGINES_BIN)/python -m pytest \
	  tests/verl tests/engines --durations=20 -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

# What each part found is kept until the page is written, so that a call that was stopped goes on.
chaos: $(INSTALLED) ## kill runs, tear files, fill disks, ill-treat a service, and write docs/benchmarks/chaos.md
	mkdir -p chaos.tmp
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/chaos.py chaos.tmp > chaos.tmp/page
	mv chaos.tmp/page docs/benchmarks/chaos.md
	rm -r chaos.tmp

lint: $(INSTALLED) ## check style, types and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(INSTALLED) ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## build the documents as a site, site/index.html; a link that leads nowhere is an error
	$(BIN)/python docs/make_configuration.py > docs/reference/configuration.md
	$(BIN)/python docs/make_house.py
	$(BIN)/python docs/make_estimates.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# torch brings the CUDA packages that it was built against, so those are left to its own pins.
constraints: ## resolve constraints.txt and constraints-engines.txt anew (needs uv)
	echo 'torch==2.13.0' | uv pip compile --universal --python-version 3.10 pyproject.toml --extra dev --constraint - \
	  --no-header --no-annotate | grep -v -E '^(nvidia|cuda|triton)' > constraints.tmp
	mv constraints.tmp constraints.txt
	uv pip compile --universal --python-version 3.11 pyproject.toml --extra verl --extra trl --extra serve \
	  tests/engines/requirements.txt --override tests/engines/overrides.txt --no-header --no-annotate \
	  | grep -v -E "^(nvidia|cuda|triton|trl=)|sys_platform == '(win32|none)'" > constraints.tmp
	mv constraints.tmp constraints-engines.txt

clean: ## remove .venv and caches
	rm -rf .venv .venv-engines .pytest_cache .ruff_cache .hypothesis .coverage
