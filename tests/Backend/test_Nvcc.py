"""Every kernel file is CUDA C: nvcc compiles it with Cuda.h, where there is an nvcc."""

import shutil
import subprocess

import pytest

from minidl.Backend import KernelFile

nvcc = shutil.which("nvcc")
stems = sorted(path.stem for path in KernelFile.folder.glob("*.cu"))


@pytest.mark.skipif(nvcc is None, reason="there is no nvcc on this machine")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
@pytest.mark.parametrize("stem", stems)
def test_nvcc_compiles_every_kernel_without_a_word(stem, architecture, tmp_path):
    text = tmp_path / f"{stem}.cu"
    text.write_text("\n".join([
        "typedef float real; typedef float accum;\n#define BLOCK 256",
        (KernelFile.folder / "Cuda.h").read_text(),
        'extern "C" {', KernelFile.KernelFile(stem).text, "}"]))

    done = subprocess.run(
        [nvcc, f"-arch={architecture}", "-cubin", "-o", tmp_path / "out", text],
        capture_output=True, text=True)

    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr
