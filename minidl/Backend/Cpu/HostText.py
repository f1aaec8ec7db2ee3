"""The C++ text that the host compiler gets for a kernel file, or for its tuned twin."""

from minidl.Backend import KernelFile

realNames = {"f": "float", "d": "double"}  # what `real` may be, by numpy's letter
blockColumns = 64  # columns of a matrix that a block takes: four vector registers of float32

# Sums may be taken in any order, so that they are taken in vectors; NaN and Inf keep their meaning.
# A twin says itself in which order it sums, and rounds each product: whether compilers join it with
# a sum differs from place to place, and what is done together must have the bits of single calls.
sumFlags = ["-fassociative-math", "-fno-signed-zeros", "-freciprocal-math"]
twinFlags = ["-ffp-contract=off"]
twinHeaders = "Host", "Cpu/Vectors", "Cpu/Walks", "Cpu/Phases", "Cpu/Ramp", "Cpu/Windows"


def hostText(file, real):
    """(text, compiler's flags) of what runs a kernel file's kernels: the twin if there is one."""
    return twinText(file, real) if hasTwin(file) else plainText(file, real)


def hasTwin(file):
    return twinPath(file).exists()


def twinPath(file):
    return KernelFile.folder / "Cpu" / f"{file.stem}.cpp"


def plainText(file, real):
    return "\n".join([
        types(real),
        header("Host"),
        f'struct Kernels : Block\n{{\n#line 1 "{file.stem}.cu"',
        file.text,
        "};",
        *(blocksLoop(name, arguments) for name, arguments in file.declarations.items()),
    ]), sumFlags


def twinText(file, real):
    return "\n".join([
        types(real),
        *map(header, twinHeaders),
        f'#line 1 "{file.stem}.cpp"',
        twinPath(file).read_text(),
        *(wholeCall(name, arguments) for name, arguments in file.declarations.items()),
    ]), twinFlags


def types(real):
    number = realNames[real]
    return f"typedef {number} real;\ntypedef {number} accum;\n#define LANES {blockColumns}"


def header(stem):
    return f'#line 1 "{stem}.h"\n' + (KernelFile.folder / f"{stem}.h").read_text()


def blocksLoop(name, arguments):
    """The function that runs some blocks of a grid, on arguments as struct.Struct packs them."""
    return f"""
extern "C" void {name}Blocks(const char *packed, long first, long last, long blocks)
{{
    {unpacking(arguments)}
    Kernels kernels;
    kernels.gridDim.x = (int)blocks;
    for (long block = first; block < last; ++block)
    {{
        kernels.blockIdx.x = (int)block;
        kernels.{name}({passed(arguments)});
    }}
}}"""


def wholeCall(name, arguments):
    """The function that runs a twin's kernel, which makes grids of its own."""
    return f"""
extern "C" void {name}Whole(const char *packed, long blocks)
{{
    {unpacking(arguments)}
    gridDim.x = (int)blocks;
    {name}({passed(arguments)});
}}"""


def unpacking(arguments):
    fields = " ".join(f"{a.type} {'*' * a.isArray}{a.name};" for a in arguments)
    return (f"struct Arguments {{ {fields} }};\n"
            "    const Arguments a = *(const Arguments *)packed;")


def passed(arguments):
    return ", ".join(f"a.{a.name}" for a in arguments)
