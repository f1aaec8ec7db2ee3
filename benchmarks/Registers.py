"""
What the GPU's compiler makes of every kernel, with no GPU at hand:

    python -m benchmarks.Registers             # a table of registers, shared memory, spills
    python -m benchmarks.Registers --save      # and keeps it in benchmarks/results/registers.json
    python -m benchmarks.Registers -r Half     # for data of one type

A cell is the registers of a thread and the share of a multiprocessor's threads that can be at work
at once: fewer where the registers or the shared memory of blocks of 256 threads do not suffice.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from minidl.Backend import KernelFile
from minidl.Backend.Cuda import CudaText, Toolkit

goal = Path(__file__).parent / "results" / "registers.json"


class Limits(NamedTuple):
    """Of one multiprocessor; each has 65536 registers."""

    threads: int
    blocks: int
    sharedKilobytes: int


limits = {
    75: Limits(1024, 16, 64), 80: Limits(2048, 32, 164), 86: Limits(1536, 16, 100),
    89: Limits(1536, 24, 100), 90: Limits(2048, 32, 228), 100: Limits(2048, 32, 228),
    120: Limits(1536, 24, 100)}


class Compiled(NamedTuple):
    """A kernel for one type of data and one architecture; sizes are bytes."""

    kernel: str
    real: str
    architecture: int
    registers: int
    shared: int
    stack: int
    spills: int

    @property
    def occupancy(self):
        limit = limits[self.architecture]
        warps = CudaText.block // 32
        perWarp = -(-self.registers * 32 // 256) * 256
        reserved = 1024 if self.architecture >= 80 else 0
        blocks = min(limit.blocks, limit.threads // CudaText.block, 65536 // (perWarp * warps),
                     limit.sharedKilobytes * 1024 // max(self.shared + reserved, 1))
        return blocks * CudaText.block / limit.threads


def groups():
    """Kernel files that can be one text: those of Kernels/Cuda have kernels of the same names."""
    plain = [KernelFile.KernelFile(path.stem) for path in KernelFile.folder.glob("*.cu")]
    tuned = [CudaText.cudaFile(path.stem) for path in CudaText.folder.glob("*.cu")]
    return [sorted(files, key=lambda file: file.stem) for files in (plain, tuned) if files]


def kernelsOf(files):
    """The names that the files declare."""
    return {name for file in files for name in re.findall(
        r"__global__\s+void\s+(?:__launch_bounds__\([^()]*\)\s*)?(\w+)\s*\(",
        KernelFile.comment.sub("", file.text))}


def compileAll(nvcc, reals=tuple(CudaText.realNames)):
    """([Compiled], what nvcc said beside that) of every kernel file, a process for each core."""
    jobs = [(nvcc, files, real) for real in reals for files in groups()]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = list(pool.map(lambda job: compileFiles(*job), jobs))
    return [each for found, _ in answers for each in found], "".join(said for _, said in answers)


def compileFiles(nvcc, files, real):
    """One call of nvcc for several files and all architectures: most of a call's time is fixed."""
    targets = [f"arch=compute_{number},code=sm_{number}" for number in architectures(nvcc)]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernels.cu")
        source.write_text("\n".join(apart(file, real) for file in files))
        done = subprocess.run(
            [nvcc, "-fatbin", "-Xptxas", "-v", "-o", Path(folder, "out"),
             *(word for target in targets for word in ("-gencode", target)), source],
            capture_output=True, text=True)
    found, said = parse(done.stdout + done.stderr, real)
    return found, said + (f"nvcc: {done.returncode}\n" if done.returncode else "")


def architectures(nvcc):
    """Those of the README that this nvcc knows."""
    known = {major * 10 + minor for major, minor in Toolkit.architectures(nvcc)}
    return sorted(known & set(limits))


def apart(file, real):
    """
    A file's text as the device compiles it, fenced off from the texts behind it. Namespaces do not
    keep C's names apart: here only the kernels have such.
    """
    text = CudaText.cudaText(file, real).replace('extern "C" {', "inline namespace own\n{")
    text = text.replace("__global__", 'extern "C" __global__')
    macros = set(re.findall(r"^#define (\w+)", text, re.MULTILINE))
    return "\n".join([f"namespace {file.stem}\n{{", text, "}",
                      *(f"#undef {name}" for name in sorted(macros))])


def parse(words, real):
    """([Compiled], the lines that have nothing to do with it) of what `ptxas -v` says."""
    found, others, kernel, stack, spills = [], [], None, 0, 0
    for line in words.splitlines(keepends=True):
        if match := re.search(r"Compiling entry function '(\w+)' for 'sm_(\d+)\w*'", line):
            kernel, architecture, stack, spills = match[1], int(match[2]), 0, 0
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line):
            stack, spills = max(stack, int(match[1])), max(spills, int(match[2]))
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            found.append(Compiled(
                kernel, CudaText.realNames[real], architecture, int(match[1]),
                int(shared[1]) if shared else 0, stack, spills))
        elif "ptxas info" not in line:
            others.append(line)
    return found, "".join(others)


def table(found):
    """Lines: a kernel each, by type of data."""
    numbers = sorted({each.architecture for each in found})
    rows = {}
    for each in found:
        rows.setdefault((each.real, each.kernel), {})[each.architecture] = each
    for (real, kernel), byNumber in sorted(rows.items()):
        cells = [f"{byNumber[n].registers:4}{byNumber[n].occupancy:5.0%}" for n in numbers]
        most = [max(getattr(each, name) for each in byNumber.values())
                for name in ("shared", "stack", "spills")]
        yield f"{real:9}{kernel:24}" + "".join(f"{number:7}" for number in most) + " ".join(cells)


def save(found, version):
    """Keeps the registers of each architecture, and what else there is where it is not 0."""
    numbers, rows = sorted({each.architecture for each in found}), {}
    for each in sorted(found, key=lambda each: (each.real, each.kernel, each.architecture)):
        row = rows.setdefault(f"{each.real} {each.kernel}", {"registers": []})
        row["registers"].append(each.registers)
        for name in ("shared", "stack", "spills"):
            if value := getattr(each, name):
                row[name] = max(value, row.get(name, 0))
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    goal.parent.mkdir(exist_ok=True)
    goal.write_text(
        f'{{\n  "command": "python -m benchmarks.Registers --save",\n  "nvcc": "{version}",\n'
        f'  "threads in a block": {CudaText.block},\n  "architectures": {numbers},\n'
        f'  "kernels": {{\n{lines}\n  }}\n}}\n')


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.Registers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    letters = {name: letter for letter, name in CudaText.realNames.items()}
    parser.add_argument("-r", "--real", choices=letters, help="one type of data; all if not given")
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results/")
    args = parser.parse_args()
    if (nvcc := Toolkit.nvcc()) is None:
        parser.error("there is no nvcc on this machine: python -m minidl cuda-setup installs one")

    found, said = compileAll(nvcc, [letters[args.real]] if args.real else tuple(letters.values()))
    print(said, end="")
    names = "".join(f"{f'sm_{number}':>10}" for number in architectures(nvcc))
    print(f"{'data':9}{'kernel':24}{'shared':>7}{'stack':>7}{'spills':>7}{names}")
    print(*table(found), sep="\n")
    if args.save:
        save(found, Toolkit.nvccVersion(nvcc))


if __name__ == "__main__":
    main()
