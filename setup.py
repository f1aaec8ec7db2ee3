import re
from pathlib import Path

from setuptools import find_packages, setup

folder = Path(__file__).parent
# Read, not imported: when this runs, what minidl needs is not installed yet.
version = re.search(r'__version__ = "(.+)"', (folder / "minidl/__init__.py").read_text())[1]

progress, plot = ["tqdm"], ["matplotlib"]

setup(
    name="minidl",
    version=version,
    description="A small deep-learning framework whose kernels are written once, for GPU and CPU",
    long_description=(folder / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["minidl", "minidl.*"]),
    package_data={"minidl": ["**/*.cu", "**/*.h", "**/*.cpp", "**/*.hdf"]},
    python_requires=">=3.10",
    install_requires=["numpy", "h5py", "scipy-openblas32"],
    extras_require={
        # `python -m minidl cuda-setup` installs these, and PyCUDA, which pip alone builds seldom
        # with success. For a driver of CUDA 12 it takes other versions.
        "cuda": ["nvmath-python", "cuda-bindings==13.*", "cuda-toolkit[cublas,nvrtc]==13.*"],
        "compiler": ["ziglang"],  # a C++ compiler as a package, for machines that have none
        "progress": progress,
        "plot": plot,
        "test": ["pytest", "pytest-xdist", "ruff", "setuptools>=70.1", *progress, *plot],
        "compare": ["torch==2.13.0"],  # the peer of tests and benchmarks; minidl never imports it
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C++",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
