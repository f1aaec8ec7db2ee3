"""What has to be known of a text in CUDA C before the host compiler can take it."""

import re
from typing import NamedTuple

blank = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)

cooperative = re.compile(
    r"\b(__syncthreads\w*|__syncwarp|__shfl_\w+|__ballot_sync|__any_sync|__all_sync|__activemask"
    r"|__match_any_sync|__reduce_\w+_sync|__nanosleep|assert|__trap)\b")

# extern __shared__ float values[];
dynamicShared = re.compile(r"\bextern\b[^;{}=]*\b__shared__\b[^;{}=]*?(\w+)\s*\[\s*\]\s*;")

# Words that C++ does not take beside what the others mean: in `static __shared__ float values[32];`
# and in `template __global__ void name<float>(float *x);`.
superfluous = re.compile(
    r"\bstatic\b(?=[^;{}=()]*\b__shared__\b)|(?<=\btemplate)\s+__global__\b")

# __global__ void __launch_bounds__(256) name(float *x, int n) {
kernel = re.compile(
    r"\b__global__\b(?:[^;{}()]|\((?:[^()]|\([^()]*\))*\))*?"
    r"\b(?!__launch_bounds__|__attribute__|__align__|alignas)(\w+)\s*(<[^;{}()]*>)?"
    r"\s*\(([^;{}]*)\)\s*[;{]")
template = re.compile(r"\btemplate\s*(<[^;{}()]*>)?[\w\s]*$")

directive = re.compile(
    r"^[ \t]*#[ \t]*(?:if|include)|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*__global__", re.M)
include = re.compile(r"^[ \t]*#[ \t]*include", re.M)
# C++'s names of C's headers: no header of C++ is to be had (Cpu/SourceModule.py).
headerOfC = re.compile(
    r"(?<=include)(\s*)<c(assert|float|limits|math|stddef|stdint|stdio|stdlib|string|time)>")


class Kernel(NamedTuple):
    name: str  # with its template arguments, if any
    arguments: tuple  # their names, as far as they can be read


class KernelText:
    """
    Args:
        text: the user's CUDA C.
        expanded: function of the text, which gives it as the preprocessor leaves it; called only if
            the text has includes or conditions, or makes kernels by macros.
    """

    def __init__(self, text, expanded):
        text = headerOfC.sub(r"\1<\2.h>", text)
        bare = withoutComments(text)
        self.translated = translated(text, bare)
        self.includes = include.search(bare) is not None
        if directive.search(bare):
            bare = withoutComments(expanded(text))
        self.expanded = bare
        self.kernels = tuple(findKernels(bare))
        self.cooperates = cooperative.search(bare) is not None
        self.prints = re.search(r"\bprintf\b", bare) is not None
        self.dynamicShared = sorted(set(dynamicShared.findall(bare)))


def withoutComments(text):
    """The text with spaces in place of comments and strings: all else keeps its place."""
    return blank.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def translated(text, bare):
    """The text as the host compiler can take it, each character at its place."""
    changes = [
        (match.start(), match.end(), re.sub(r"\S", " ", match[0]))
        for match in superfluous.finditer(bare)]
    for match in dynamicShared.finditer(bare):
        start = match.start() + match[0].index("__shared__")
        changes.append((start, start + len("__shared__"), "__thread  "))
    for start, end, words in sorted(changes, reverse=True):
        text = text[:start] + words + text[end:]
    return text


def findKernels(bare):
    """The kernels that have code: functions, and what templates are made into by name."""
    found = {}
    for match in kernel.finditer(bare):
        name, arguments, parameters = match.groups()
        before = template.search(bare, 0, match.start())
        if before is not None:
            if arguments is None:
                continue  # the template itself
            name += arguments
        found[name] = Kernel(name, tuple(argumentNames(parameters)))
    return found.values()


def argumentNames(parameters):
    if parameters.strip() in ("", "void"):
        return
    for parameter in parameters.split(","):
        words = re.findall(r"\w+", parameter.split("[")[0])
        yield words[-1] if words else ""
