# make run    set up and run the quick suite          make test   set up and run the tests
# make check  lint, types and import layering         make format lay the code out, and mend what ruff can
# make docs   write the generated reference pages     make clean  remove the environment
# make pictures  draw docs/images and the README's answer anew
#
# The environment is made once; a second `make` installs nothing unless the lists below have changed.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# What runs models here: PyTorch, MLX and llama.cpp, but there is no MLX for Macs with Intel.
ON_INTEL := torch,llama-cpp,data
EXTRAS := $(if $(findstring Darwin x86_64,$(shell uname -sm)),$(ON_INTEL),all)

.PHONY: run test check docs pictures format clean

# In a container there is often no user but root; elsewhere models never run as root.
run: $(VENV)/.installed
	$(VENV)/bin/bench run $(if $(filter 0,$(shell id -u)),--allow-root)

# The model is fetched before the tests, because they run side by side.
test: $(VENV)/.installed-test
	$(VENV)/bin/bench models fetch smollm2-135m
	$(VENV)/bin/python -m pytest --numprocesses 3 --dist loadgroup --durations 25

check: $(VENV)/.installed-test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest tests/test_architecture.py

# The pages say what the code says; a test holds them together.
docs: $(VENV)/.installed
	$(VENV)/bin/python -m bench.cli.reference docs

# The README's answer and docs/images, from a made-up run. The page needs Chromium.
pictures: $(VENV)/.installed
	$(VENV)/bin/python -m benchmarks.pictures

format: $(VENV)/.installed-test
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch goes first and alone: with its version settled, nothing else can ask for another one.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV) (once)"
	$(PIP) pip
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) --editable '.[$(EXTRAS)]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[$(EXTRAS),test]'
	touch $@
