# make run    set up and run the quick suite          make test   set up and run the tests
# make check  lint, types and import layering         make format lay the code out, and mend what ruff can
# make docs   write the generated reference pages     make clean  remove the environment
# make pictures  draw docs/images and the README's answer anew
#
# The environment is made once; a second `make` installs nothing unless the lists below have changed.

VENV := .venv

ifneq ($(filter-out 0,$(SUDO_UID)),)
$(error under sudo the files that are made here would be root's: type it without sudo)
endif

# What runs models here: PyTorch, MLX and llama.cpp; for Macs with Intel only the last has wheels.
IS_INTEL_MAC := $(filter Darwin Darwin0,$(shell uname -s)$(shell sysctl -n hw.optional.arm64 2>/dev/null))
EXTRAS := $(if $(IS_INTEL_MAC),,torch mlx) llama-cpp data

.PHONY: run test check docs pictures format clean

# In a container there is often no user but root; elsewhere models never run as root.
run: $(VENV)/.installed
	$(VENV)/bin/bench run $(if $(filter 0,$(shell id -u)),--allow-root)

# The model is fetched before the tests, because they run side by side.
test: $(VENV)/.installed-test
	$(VENV)/bin/bench models fetch smollm2-135m
	$(VENV)/bin/python -m pytest --numprocesses 4 --dist loadgroup --durations 25

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

# Looks first: a Python that does not fit is told, and leaves nothing behind. An environment gets its pip last: one
# without was interrupted, or made by uv, and is made whole.
$(VENV)/bin/pip:
	@python=$$(PYTHON='$(PYTHON)' .setup/find-python) && echo "making $(VENV) with $$python" && \
	{ "$$python" -m venv $(VENV) || { rm -rf $(VENV); false; }; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@PYTHON=$(VENV)/bin/python INSTEAD='type: make clean, then make run' .setup/find-python >/dev/null
	@echo "installing into $(VENV), once: some hundred MB to download"
	@$(VENV)/bin/python .setup/install $(EXTRAS)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(VENV)/bin/python .setup/install test
	@touch $@
