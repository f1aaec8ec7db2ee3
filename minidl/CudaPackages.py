"""
Which of PyPI's packages are right for a driver, and what is there of them.

A driver is given by `version`, the (major, minor) of the CUDA that it knows. What a toolkit makes
runs with the drivers of its own version and of later ones; so none is taken that is newer.
"""

from importlib import metadata

from minidl.Backend.Cuda import Toolkit

oldestToolkit = 13  # whose wheels have nvcc
newestToolkit = 13  # that was tried

compilerParts = "nvcc,crt,nvvm,cudart,cccl,profiler"
headerParts = "cudart,profiler"  # with these PyCUDA is built

products, fastCompiler = "matrix products by cuBLASLt", "kernels compiled in a tenth of the time"
uses = {"nvmath-python": products, "nvidia-cublas": products,
        "cuda-bindings": fastCompiler, "nvidia-cuda-nvrtc": fastCompiler}


def toolkit(version, parts):
    """What pip is to install for parts of the toolkit."""
    major, minor = version
    if major > newestToolkit:
        return f"cuda-toolkit[{parts}]=={newestToolkit}.*"
    return f"cuda-toolkit[{parts}]>={major}.0,<{major}.{minor + 1}"


def companions(version):
    """{package: what pip is to install for it}: the extra `cuda` of setup.py, for this driver."""
    major = majorOf(version)
    return {
        "nvmath-python": "nvmath-python",
        "cuda-bindings": f"cuda-bindings=={major}.*",
        "nvidia-cublas": toolkit(version, "cublas"),
        "nvidia-cuda-nvrtc": toolkit(version, "nvrtc")}


def missing(version):
    return {name: wanted for name, wanted in companions(version).items() if not isHere(
        name, majorOf(version))}


def isHere(name, major):
    """Whether a companion is installed; its library may come with the machine's toolkit as well."""
    library = {"nvidia-cublas": "libcublasLt.so", "nvidia-cuda-nvrtc": "libnvrtc.so"}.get(name)
    if library is not None and Toolkit.linkerLibrary(f"{library}.{major}"):
        return True
    if library is not None and major <= 12:
        name = f"{name}-cu{major}"
    found = installed(name)
    return found is not None and (name == "nvmath-python" or found.split(".")[0] == str(major))


def majorOf(version):
    return min(version[0], newestToolkit)


def installed(name):
    """The version of an installed package, None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
