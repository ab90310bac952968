# Two commands are all a newcomer needs: `make demo` and `make test`. Both make .venv first.
.POSIX:
PYTHON = python3
BIN = .venv/bin
INSTALLED = .venv/.installed
VERL_BIN = .venv-verl/bin
VERL_INSTALLED = .venv-verl/.installed

.PHONY: help install demo test test-verl lint format docs constraints clean

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

# verl wants an older transformers than constraints.txt has, so it has an environment and constraints of its own.
$(VERL_INSTALLED): pyproject.toml constraints-verl.txt
	test -x $(VERL_BIN)/python || $(PYTHON) -m venv .venv-verl
	$(VERL_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints-verl.txt \
	  --editable '.[verl]' pytest hypothesis
	touch $(VERL_INSTALLED)

test-verl: $(VERL_INSTALLED) ## run the tests on the real verl, on the CPU
# Ray and verl leave sockets and an event loop open, which is theirs and not a failure.
	OMP_NUM_THREADS=1 $(VERL_BIN)/python -m pytest tests/verl -W ignore::ResourceWarning \
	  -W ignore::pytest.PytestUnraisableExceptionWarning

lint: $(INSTALLED) ## check style, types and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(INSTALLED) ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## write docs/reference/configuration.md anew from the models
	$(BIN)/python docs/make_configuration.py > docs/reference/configuration.md

# torch brings the CUDA packages that it was built against, so those are left to its own pins.
constraints: ## resolve constraints.txt and constraints-verl.txt anew (needs uv)
	echo 'torch==2.13.0' | uv pip compile --universal --python-version 3.10 pyproject.toml --extra dev --constraint - \
	  --no-header --no-annotate | grep -v -E '^(nvidia|cuda|triton)' > constraints.tmp
	mv constraints.tmp constraints.txt
	printf 'torch==2.13.0\npytest>=8.3\nhypothesis>=6.120\n' | uv pip compile --universal --python-version 3.10 \
	  pyproject.toml --extra verl - --no-header --no-annotate | grep -v -E '^(nvidia|cuda|triton)' > constraints.tmp
	mv constraints.tmp constraints-verl.txt

clean: ## remove .venv and caches
	rm -rf .venv .venv-verl .pytest_cache .ruff_cache .hypothesis .coverage
