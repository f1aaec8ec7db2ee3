"""
The host stand-in for nvcc: what it makes of CUDA C is a shared object for the machine's own
processor, which the stand-in for the driver (driver/) loads in place of a cubin.
"""

import hashlib
import sys
from pathlib import Path

own = Path(__file__).parent
sys.path.insert(0, str(own.parents[1]))

from minidl.Backend.Cpu import HostCompiler  # noqa: E402
from minidl.Backend.Cpu.KernelText import headerOfC  # noqa: E402

simt = own.parents[1] / "minidl/Backend/Cpu/Simt"

# nvcc's options that have a value in the next word, where it is not written with "=".
valued = {
    "-arch", "--gpu-architecture", "-code", "--gpu-code", "-gencode", "--generate-code", "-std",
    "--std", "-Xptxas", "--ptxas-options", "-Xcompiler", "--compiler-options", "-maxrregcount",
    "--maxrregcount", "-x", "--x", "-ccbin", "--compiler-bindir", "-odir", "--output-directory",
    "-t", "--threads", "-diag-suppress", "--diag-suppress", "-Xcudafe"}
longNames = {
    "--define-macro": "-D", "--undefine-macro": "-U", "--include-path": "-I",
    "--output-file": "-o", "--preprocess": "-E", "--cubin": "-cubin", "--fatbin": "-fatbin",
    "--ptx": "-ptx", "--version": "-V", "--device-debug": "-G", "--debug": "-g"}


class Call:
    """One call of nvcc, as its command line tells it."""

    def __init__(self, words):
        self.kind, self.output, self.file, self.options = None, None, None, []
        words = iter(words)
        for word in words:
            self.take(word, words)

    def take(self, word, following):
        name, _, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = longNames.get(name, name)
        if name in ("-E", "-V", "-cubin", "-fatbin", "-ptx"):
            self.kind = name
        elif name == "-o":
            self.output = value or next(following)
        elif name in ("-D", "-U", "-I"):
            self.options.append(name + (value or next(following)))
        elif word.startswith(("-D", "-U", "-I")) or word in ("-g", "-G"):
            self.options.append(word)
        elif name in valued:
            value or next(following)
        elif not word.startswith("-") or word == "-":
            self.file = word


def compileText(call, source):
    from tests.hostcuda import Cubin  # it imports numpy, and the other calls are quick

    cubin = Cubin.Cubin(source, call.options)
    output = call.output or str(Path(call.file).with_suffix(f".{call.kind[1:]}").name)
    return HostCompiler.call([*cubin.command(), "-o", output], cubin.program(call.file))


def preprocess(call, source):
    command = [
        *HostCompiler.compiler(), "-E", "-P", "-w", "-std=c++17", "-nostdinc++",
        "-D__CUDACC__=1", "-D__CUDA_ARCH__=800", f"-I{own / 'include'}", f"-I{simt / 'include'}",
        *(option for option in call.options if option.startswith(("-D", "-U", "-I"))),
        "-x", "c++", "-", *(["-o", call.output] if call.output else [])]
    source = headerOfC.sub(r"\1<\2.h>", source)
    return HostCompiler.call(command, f'#line 1 "{call.file}"\n{source}')


def version():
    """What PyCUDA keeps cubins under: it changes when they would come out otherwise."""
    texts = [
        *simt.glob("*"), *simt.parent.glob("*.py"), *own.glob("*.py"), *own.glob("include/*"),
        *own.glob("driver/*.h")]
    parts = [path.read_text() for path in sorted(texts) if path.is_file()]
    parts += [*HostCompiler.compiler(), *HostCompiler.flags, HostCompiler.processor()]
    parts.append(HostCompiler.compilerIdentity(HostCompiler.compiler()[0]))
    made = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return f"nvcc: the host stand-in\nCuda compilation tools, release 13.0, V13.0.0, {made}\n"


def main(words):
    if "--dryrun" in words:
        return 0  # it has no toolkit to tell of
    call = Call(words)
    if call.kind == "-V":
        print(version(), end="")
        return 0
    if call.kind in (None, "-ptx") or call.file is None:
        sys.stderr.write("nvcc: the host stand-in makes cubins and preprocesses, nothing else\n")
        return 1

    source = sys.stdin.read() if call.file == "-" else Path(call.file).read_text()
    try:
        done = (preprocess if call.kind == "-E" else compileText)(call, source)
    except HostCompiler.CompilerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
