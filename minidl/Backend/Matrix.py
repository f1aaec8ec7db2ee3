"""How matrices lie in memory, as the libraries that multiply them want to know it."""


def operand(matrix, trans):
    """(a matrix of contiguous rows, whether it is to be transposed) for op(matrix)."""
    rows, columns = matrix.shape
    down, right = (stride // matrix.itemsize for stride in matrix.strides)
    if right == 1 and down >= columns:
        return matrix, trans
    if down == 1 and right >= rows:
        return matrix.T, not trans
    return matrix.copy(), trans


def rowStride(matrix):
    """Elements from row to row of a matrix of contiguous rows."""
    # Of a single row numpy leaves the stride open, and BLAS wants it to be long enough.
    return max(matrix.strides[0] // matrix.itemsize, matrix.shape[1], 1)
