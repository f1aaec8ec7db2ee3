# make demo        trains a network on handwritten digits; its last line is the accuracy
# make test        runs the tests on the CPU
# make test-cuda   runs the tests of the GPU backend on this machine's CPU, without a GPU
# make test-gpu    runs all tests on this machine's GPU, and its kernels' under compute-sanitizer
# make check       the linter, then the tests on the CPU and those without a GPU
# make soak        the tests of chance at length: 10,000 damaged files, 200 killed saves, 20 resumed trainings
# make benchmark   times minidl beside its peers
# make clean       removes what the others made
#
# Each makes .venv and installs what it needs on its first run. PYTHON names the Python to take:
# make test PYTHON=python3.12

PYTHON = python3
python = .venv/bin/python
pip = $(python) -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-cuda test-gpu soak check lint benchmark install compiler clean
.NOTPARALLEL:

demo: .venv/demo compiler
	@$(python) examples/trainMlp.py

test: install
	@MINIDL_BACKEND=cpu $(python) -m pytest --numprocesses auto

# A stand-in for CUDA's driver and compiler, and the unchanged PyCUDA on it, in .hostcuda. It has one
# thread: the tests are shared out to processes.
test-cuda: install
	@$(python) -m tests.CudaRun -m pytest --numprocesses auto

kernels = tests/Backend/Ops tests/Cost tests/Modules/test_BatchNormNumbers.py \
	tests/Modules/test_Activation.py tests/Modules/test_SoftMax.py tests/Modules/test_Dropout.py \
	tests/Optimizers tests/Backend/Cuda/test_StridedCopy.py tests/Backend/Cuda/test_CublasLt.py

test-gpu: install
	@MINIDL_BACKEND=cuda $(python) -m pytest
	@for tool in memcheck racecheck initcheck; do echo "compute-sanitizer --tool $$tool"; \
	MINIDL_BACKEND=cuda MINIDL_SANITIZER=$$tool compute-sanitizer --tool $$tool --error-exitcode 9 \
	--target-processes all $(python) -m pytest -q $(kernels) || exit 1; done

soak: install
	@MINIDL_BACKEND=cpu MINIDL_SOAK=1 $(python) -m pytest tests/test_Weights*.py tests/Handlers

check: lint test test-cuda

lint: install
	@$(python) -m ruff check

benchmark: install
	@$(python) -m benchmarks

install: .venv/test compiler

.venv/demo: .venv/made setup.py
	@echo "installing minidl into .venv"
	@$(pip) -e '.[progress]'
	@touch $@

.venv/test: .venv/made setup.py
	@echo "installing minidl and what its tests need into .venv"
	@$(pip) -e '.[test]'
	@touch $@

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo \
	"minidl needs Python 3.10 or newer, and $(PYTHON) is none. Name another: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	"$(PYTHON) cannot make .venv, since it lacks the module ensurepip. Install it (Debian, Ubuntu:" \
	"apt install python3-venv), or name another Python: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

# Kernels are compiled on this machine. Where it has no C++ compiler, one comes as a package.
compiler: .venv/made
	@for program in $${CXX%% *} c++ g++ clang++; do command -v "$$program" >/dev/null && exit 0; done; \
	$(python) -c 'import ziglang' 2>/dev/null || { \
	echo "no C++ compiler on this machine: installing the package ziglang into .venv"; \
	$(pip) ziglang; }

clean:
	rm -rf .venv .hostcuda build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
