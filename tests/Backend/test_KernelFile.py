import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.KernelFile import Argument, KernelError, KernelFile, folder, parse

text = """
// __global__ void commentedOut(int a)
/* __global__ void thisOneToo(int a) */
__device__ real twice(real x) { return x + x; }

__global__ void axpy(const real *x, real *y, int size, accum alpha)
{
    GRID_LOOP(i, size)
        y[i] += alpha * x[i];
}

__global__ void kinds(
    const int *a, const unsigned *b,  // two of them
    const unsigned char *c, accum *sum, int offset,
    unsigned mask)
{
    GRID_LOOP(i, 1)
        sum[0] = a[0] + (b[0] & mask) + c[0] + offset;
}

__global__ void without(int unused)
{
}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    for name in ("Host.h", "Cuda.h"):
        (tmp_path / name).write_text((folder / name).read_text())
    monkeypatch.setattr("minidl.Backend.KernelFile.folder", tmp_path)
    (tmp_path / "Sample.cu").write_text(text)
    return KernelFile("Sample")


def arrays(*shapes, dtype=np.float32):
    return [gpuarray.zeros(shape, dtype) for shape in shapes]


def kindArrays():
    return [gpuarray.to_gpu(np.array([value], dtype)) for value, dtype in (
        (-1, np.int32), (2**31, np.uint32), (200, np.uint8), (0, np.float32))]


def test_declarations_are_read_from_the_text():
    declarations = parse(text)

    assert list(declarations) == ["axpy", "kinds", "without"]
    assert declarations["axpy"] == (
        Argument("x", "real", True), Argument("y", "real", True),
        Argument("size", "int", False), Argument("alpha", "accum", False))
    assert [argument.type for argument in declarations["kinds"]] == [
        "int", "unsigned", "unsigned char", "accum", "int", "unsigned"]
    assert declarations["without"] == (Argument("unused", "int", False),)


@pytest.mark.parametrize("declaration, message", [
    ("int size, real *y", "kernel bad: arrays must be declared before sizes and scalars"),
    ("float *x", "kernel bad: cannot read the argument 'float \\*x'"),
    ("double x", "cannot read the argument 'double x'"),
    ("real **x", "cannot read the argument"),
    ("real &x", "cannot read the argument"),
    ("", "cannot read the argument"),
])
def test_declaration_that_breaks_the_law_is_refused(declaration, message):
    with pytest.raises(KernelError, match=message):
        parse(f"__global__ void bad({declaration}) {{}}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_computes_in_the_type_of_its_arrays(file, dtype, rng):
    x, y = rng.standard_normal((2, 1000)).astype(dtype)
    onDevice = gpuarray.to_gpu(y)

    for blocks in (1, 7):
        file.axpy(blocks, gpuarray.to_gpu(x), onDevice, x.size, 0.1)

    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(onDevice, y + 2 * dtype(0.1) * x, rtol=8 * eps, atol=8 * eps)


def test_arguments_of_every_type_arrive(file):
    *given, total = kindArrays()
    file.kinds(1, *given, total, 10, 2**31)
    assert total.get() == np.float32(-1 + 2.0**31 + 200 + 10)


def test_scalars_may_be_numpys(file):
    x, y = arrays(3, 3)
    file.axpy(1, x.fill(1), y, np.int64(3), np.float64(0.5))
    file.axpy(1, x, y, np.int32(3), np.float32(0.5))
    file.axpy(1, x, y, np.int32(3), 1)
    assert y.get().tolist() == [2, 2, 2]


def test_arrays_without_elements_are_left_alone(file):
    x, y = arrays(0, (3, 0))
    file.axpy(1, x, y, 0, 1.0)


def test_views_are_written_where_they_lie(file):
    x, y = arrays(4, (3, 4))
    file.axpy(1, x.fill(1), y[1], 4, 2.0)
    assert y.get().tolist() == [[0] * 4, [2] * 4, [0] * 4]


def x(*shape, dtype=np.float32):
    return gpuarray.zeros(shape or 3, dtype)


wrongCalls = {
    "few arguments": (lambda: (x(), x(), 3), "takes 4 arguments, got 3"),
    "many arguments": (lambda: (x(), x(), 3, 1.0, 5), "takes 4 arguments, got 5"),
    "no arguments": (lambda: (), "takes 4 arguments, got 0"),
    "array of numpy's": (
        lambda: (np.zeros(3, np.float32), x(), 3, 1.0),
        r"x must be an array on the device \(see gpuarray.to_gpu\), got ndarray"),
    "complex": (
        lambda: (x(dtype=np.complex64), x(), 3, 1.0),
        "x must be an array of floating point.* complex64"),
    "list": (lambda: ([1.0], x(), 3, 1.0), "x must be an array of floating point.* got list"),
    "none": (lambda: (x(), None, 3, 1.0), "y must be an array on the device.* got NoneType"),
    "integers": (
        lambda: (x(dtype=np.int32), x(), 3, 1.0), "x must be an array of floating point.* int32"),
    "mixed dtypes": (
        lambda: (x(), x(dtype=np.float64), 3, 1.0), r"y must be of real \(f\), got float64"),
    "strides": (
        lambda: (x(), x(3, 2)[:, 0], 3, 1.0), r"y must be contiguous, got strides \(8,\)"),
    "transposed": (lambda: (x(2, 3).T, x(), 3, 1.0), "x must be contiguous"),
    "size of 33 bits": (lambda: (x(), x(), 2**31, 1.0), "size must be a number of type int.* 2147"),
    "size with a fraction": (lambda: (x(), x(), 3.0, 1.0), "size must be a number of type int"),
    "word": (lambda: (x(), x(), 3, "1"), "alpha must be a number of type accum"),
    "array for a number": (lambda: (x(), x(), x(), 1.0), "size must be a number of type int"),
}


@pytest.mark.parametrize("arguments, message", wrongCalls.values(), ids=wrongCalls)
def test_wrong_arguments_are_refused_and_the_next_call_is_right(arguments, message, file):
    for _ in range(2):  # before the kernel has been launched, and after
        with pytest.raises(KernelError, match=f"kernel axpy: {message}"):
            file.axpy(1, *arguments())

        first, second = arrays(3, 3)
        file.axpy(1, first.fill(1), second, 3, 2.0)
        assert second.get().tolist() == [2, 2, 2]


@pytest.mark.parametrize("place, dtype", [
    (0, np.int64), (0, np.uint32), (1, np.int32), (2, np.int8), (3, np.float64)])
def test_arrays_of_another_integer_type_are_refused(place, dtype, file):
    given = kindArrays()
    given[place] = gpuarray.zeros(1, dtype)
    with pytest.raises(KernelError, match=f"must be of .* got {np.dtype(dtype)}"):
        file.kinds(1, *given, 0, 0)


def test_unsigned_numbers_have_their_own_range(file):
    for value in (-1, 2**32):
        with pytest.raises(KernelError, match="mask must be a number of type unsigned"):
            file.kinds(1, *kindArrays(), 0, value)


def test_error_is_a_type_error_and_a_value_error():
    assert issubclass(KernelError, TypeError) and issubclass(KernelError, ValueError)


def test_unknown_kernel_is_an_error_that_names_the_file(file):
    with pytest.raises(AttributeError, match="Kernels/Sample.cu has no kernel axpi"):
        file.axpi  # noqa: B018


def test_text_is_compiled_when_a_kernel_is_first_launched(file, monkeypatch):
    from minidl.Backend import Device

    compiled = []
    compile = Device.current().compile
    monkeypatch.setattr(Device.current(), "compile", lambda file, real: (
        compiled.append(real), compile(file, real))[1])

    kernel = file.axpy
    assert compiled == []
    for _ in range(2):
        kernel(1, *arrays(3, 3), 3, 1.0)
        file.without(1, 0)
    kernel(1, *arrays(3, 3, dtype=np.float64), 3, 1.0)
    assert compiled == ["f", "d"]


def test_text_that_the_compiler_refuses_names_its_file_and_line(file, tmp_path):
    from minidl.Backend.Cpu.HostCompiler import CompilerError

    (tmp_path / "Wrong.cu").write_text(
        "__global__ void wrong(real *x)\n{\n    x[0] = unknownName;\n}\n")
    with pytest.raises(CompilerError, match="Wrong.cu:3"):
        KernelFile("Wrong").wrong(1, gpuarray.zeros(1))
