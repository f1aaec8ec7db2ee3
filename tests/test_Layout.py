"""The rules of the house: what imports what, what a kernel file may say, what an import does."""

import ast
import re
from pathlib import Path

import pytest

from minidl.Backend import KernelFile
from minidl.Backend.Cpu.HostText import plainText, twinPath
from tests.Processes import run

root = Path(__file__).parents[1]
package = root / "minidl"
sources = sorted(package.rglob("*.py"))
kernels = sorted((package / "Backend/Kernels").glob("*.cu"))
twins = sorted((package / "Backend/Kernels/Cpu").glob("*.cpp"))
texts = sorted(path for kind in ("*.cu", "*.h", "*.cpp") for path in package.rglob(kind))

# A file may import what stands in its own line or above.
floors = [
    ["minidl.Config"],
    ["minidl.Backend"],
    ["minidl.Backend.Ops"],
    ["minidl.Random", "minidl.Variable", "minidl.Functional", "minidl.Progress"],
    ["minidl.Modules", "minidl.Containers.Node", "minidl.BatchNormFrom", "minidl.AtomicFile",
     "minidl.Seal", "minidl.H5Dataset", "minidl.Guarded", "minidl.GuardedFile", "minidl.Weights"],
    ["minidl.Datasets", "minidl.Transformers"],
    ["minidl.Containers", "minidl.Cost", "minidl.Optimizers"],
    ["minidl.Handlers", "minidl.Models", "minidl.Passes", "minidl.Blueprint",
     "minidl.BlueprintTable", "minidl.Summary"],
    ["minidl.CudaPackages", "minidl.PyCudaBuild"],
    ["minidl.Doctor", "minidl.CudaSetup", "minidl.__main__"],
]
floorOf = {room: number for number, rooms in enumerate(floors) for room in rooms}

libraryOps = {"MatMul"}  # these launch no kernel file: the device's library computes them


def nameOf(path):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(name):
    while name not in floorOf:
        assert "." in name, f"{name} stands on no floor of this test: give it one"
        name = name.rpartition(".")[0]
    return floorOf[name]


def imported(path):
    """The full names of the modules that a file imports, not those that a name of it stands for."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) != "__getattr__"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                isFile = (root / below.replace(".", "/")).with_suffix(".py").exists()
                isFolder = (root / below.replace(".", "/")).is_dir()
                yield below if isFile or isFolder else node.module


def ids(path):
    return str(path.relative_to(root))


everySource = pytest.mark.parametrize("path", sources, ids=ids)
everyKernel = pytest.mark.parametrize("path", kernels, ids=ids)


@everySource
def test_imports_point_down(path):
    if path == package / "__init__.py":
        return  # its functions are what users find first, and import when they are called
    for name in imported(path):
        if name.startswith("minidl."):
            assert floor(name) <= floor(nameOf(path)), f"{path} must not import {name}"


@everySource
def test_only_the_cuda_room_knows_pycuda(path):
    if "Cuda" not in path.parts:
        assert not [name for name in imported(path) if name.split(".")[0] in ("pycuda", "cuda")]


@everySource
def test_what_runs_text_from_files_is_never_used(path):
    forbidden = re.compile(
        r"\bpickle\b|\beval\(|\bexec\(|\ballow_pickle\b|shell=True|\bmktemp\(|\b__import__\b")
    assert not forbidden.findall(path.read_text())


@everySource
def test_only_the_guard_reads_h5_files(path):
    guard = "Guarded", "GuardedFile", "H5Dataset"
    cache = ["Cache"]  # its datasets stay open: it asks the guard before
    assert path.stem in (*guard, *cache) or "h5py" not in imported(path)


@everySource
def test_file_or_its_class_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    classes = [node for node in tree.body if getattr(node, "name", None) == path.stem]
    assert path.name == "__init__.py" or any(map(ast.get_docstring, (tree, *classes)))


@pytest.mark.parametrize("path", sources + texts, ids=ids)
def test_files_are_short_and_plain(path):
    lines = path.read_text(encoding="ascii").splitlines()
    assert len(lines) <= 350
    assert max(map(len, lines), default=0) <= 100


# What has no test file of its own name is tested through what it is made for.
testedWith = {
    "CpuDevice": "Runtime", "ElementLoop": "ElementwiseKernel", "Function": "SourceModule",
    "KernelText": "SourceModule", "Parameter": "SourceModule", "GuardedFile": "WeightsRefused",
    "AtomicFile": "WeightsSaving", "H5Dataset": "WeightsHostile",
    "Seal": "WeightsSeal",
    "__main__": "Doctor", "Matrix": "MatMul", "CTypes": "ElementwiseKernel",
    "Window": "ElementwiseKernel",
    "Axes": "Functional", "BatchNormInfer": "BatchNormInferTwin", "HostText": "BatchNormTwin",
    "FusedNorm": "NormFusing", "Affine": "FoldBatchNorm",
    "Ordered": "Sequential", "Scheme": "Blueprint", "ConvGeometry": "ConvND", "Conv": "ConvND",
    "WindowND": "MaxPoolND", "PoolND": "MaxPoolND", "Pool": "MaxPoolND",
    "MaxUnpool": "MaxUnpool2D", "InputActivation": "Gelu",
    **{f"{kind}{nd}D": f"{kind}ND" for kind in ("AvgPool", "Conv", "Deconv", "MaxPool")
       for nd in (1, 2, 3)},
    "MapsModule": "Pad", "Pad1D": "Pad", "Pad2D": "Pad", "PadND": "Pad",
    "CrossMapLRN": "LRN", "MapLRN": "LRN",
    "Upsample2D": "Upsample", "Upsample3D": "Upsample", "UpsampleND": "Upsample",
    **dict.fromkeys(["BatchNormCnn", "LeNet", "NiN", "Parts", "ResNet", "VGG"], "Nets"),
    "GlobalState": "Saved", "Place": "CheckpointResume",
    "GroupNorm": "SampleNorm", "InstanceNorm2D": "SampleNorm", "LayerNorm": "SampleNorm"}


@everySource
def test_every_file_has_a_test(path):
    tests = {test.stem for test in (root / "tests").rglob("test_*.py")}
    assert path.stem == "__init__" or f"test_{testedWith.get(path.stem, path.stem)}" in tests


def test_every_kernel_file_has_its_op_and_every_op_its_kernel_file():
    ops = {path.stem for path in (package / "Backend/Ops").glob("*.py")} - {"__init__"}
    assert {path.stem for path in kernels} | libraryOps == ops


def code(path):
    return KernelFile.comment.sub("", path.read_text())


@everyKernel
def test_kernel_files_hold_to_the_law(path):
    forbidden = re.compile(
        r"#include|\btemplate\b|\bfloat\b|\bdouble\b|__shared__|__sync\w+|\batomic\w+|\w+\.[yz]\b"
        r"|\bstd::\w+|\basm\b|\bprintf\b")
    assert not forbidden.findall(code(path))


@pytest.mark.parametrize("path", [
    path for ending in ("cu", "h") for path in (KernelFile.folder / "Cuda").glob(f"*.{ending}")])
def test_kernels_for_gpus_count_atomically_but_do_not_sum(path):
    """The order in which blocks come would show in sums of floating point."""
    for call in re.findall(r"\batomic\w+\(.*", code(path)):
        assert re.match(r"atomicAdd\(\w+, 1u\)", call)


def defined(text):
    """The functions and macros that a header or a kernel file defines."""
    macros = re.findall(r"#define (\w+)(?:\((.*?)\))?", text)
    return {
        *(name for name, _ in macros),
        *(parameter.strip() for _, parameters in macros for parameter in parameters.split(",")),
        *re.findall(r"BLOCK_JOIN\((\w+),", text),
        *re.findall(r"__device__ [\w ]+?[ *](\w+)\(", text),
        *re.findall(r"__global__ void (\w+)\(", text)}


@everyKernel
def test_kernel_files_use_the_shared_words_only(path):
    folder = KernelFile.folder
    host = defined(code(folder / "Host.h"))
    text, _ = plainText(KernelFile.KernelFile(path.stem), "f")
    host |= defined(text.split("struct Kernels")[0])
    cuda = defined(code(folder / "Cuda.h"))
    ofNvcc = {  # CUDA C has these of its own
        "sqrt", "exp", "log", "log1p", "expm1", "tanh", "cos", "sin", "fabs", "fma", "pow",
        "erfc", "min", "max",
        "__umulhi"}
    ofLanguage = {"if", "for", "while", "return", "sizeof", "int", "real", "accum", "unsigned"}

    used = {word for word in re.findall(r"\b(\w+)\s*\(", code(path))}
    used |= {word for word in re.findall(r"\b[A-Z][A-Z_]+\b", code(path))}
    own = defined(code(path))

    assert used - own - ofLanguage <= host, "the host compiler knows no such word"
    assert used - own - ofLanguage <= cuda | ofNvcc, "nvcc knows no such word"


@pytest.mark.parametrize("path", twins, ids=ids)
def test_twins_declare_what_the_plain_text_declares(path):
    plain = KernelFile.KernelFile(path.stem)
    assert path == twinPath(plain)
    assert KernelFile.parse(path.read_text()) == plain.declarations


@pytest.mark.parametrize("path", twins, ids=ids)
def test_twins_include_no_header(path):
    assert "#include" not in code(path)


def test_importing_everything_starts_and_prints_nothing():
    script = """
import os, pkgutil, sys, threading
import ctypes, numpy  # they load libraries, and numpy starts threads
threads = lambda: len(os.listdir("/proc/self/task"))
before, events = threads(), []

def watch(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.mkdir"):
        events.append((event, arguments))
    if event == "ctypes.dlopen" and arguments[0] is not None:
        events.append((event, arguments))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append((event, arguments))

sys.addaudithook(watch)
import minidl
for module in pkgutil.walk_packages(minidl.__path__, "minidl."):
    if "Cuda" not in module.name.split("."):
        __import__(module.name)
from minidl.Backend import Device
assert Device.chosen is None
assert threads() == before and threading.active_count() == 1
assert not events, events
heavy = {"torch", "pycuda", "h5py", "matplotlib", "tqdm", "scipy_openblas32"} & set(sys.modules)
assert not heavy, heavy
"""
    assert run(script, PYTHONDONTWRITEBYTECODE=1, PATH="/nowhere", CXX=None) == ("", "")


def test_version_is_a_plain_number():
    import minidl

    assert re.fullmatch(r"\d+\.\d+\.\d+", minidl.__version__)
    assert minidl.__version__ in (root / "CHANGELOG.md").read_text()
