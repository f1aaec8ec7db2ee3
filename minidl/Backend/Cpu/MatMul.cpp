// Matrix products C = alpha op(A) op(B) + beta C + bias on minidl's pool; every matrix is row by
// row, with a stride.
//
// A block of the grid is a tile of C. It is computed by BLAS on one thread or, where C has few
// rows, by sweeping over B once. The tiles follow from the sizes alone, so the same product has the
// same bits for any number of threads.

// As Python packs it (MatMul.py): what changes from call to call, then the sizes.
template <class real> struct Product
{
    const real *a, *b, *bias;  // bias: one value a column of C, or null
    real *c, *relu;  // relu: takes max(C, 0), or null; may be C
    double alpha, beta;
    long m, n, k, lda, ldb, ldc;
    long transA, transB, tileRows, tileColumns;
};

static inline long least(long a, long b) { return a < b ? a : b; }

template <class real>
static inline void rectify(const Product<real> &p, long row, long column, long columns)
{
    const real *c = p.c + row * p.ldc + column;
    real *relu = p.relu + row * p.ldc + column;
    for (long j = 0; j < columns; ++j)
        relu[j] = c[j] < 0 ? 0 : c[j];
}


template <class real>
static void tile(const Product<real> &p, long row, long column)
{
    long rows = least(p.tileRows, p.m - row), columns = least(p.tileColumns, p.n - column);
    real *c = p.c + row * p.ldc + column;

    gemm(p.transA ? transposed : plain, p.transB ? transposed : plain, rows, columns, p.k,
         (real)p.alpha, p.a + (p.transA ? row : row * p.lda), p.lda,
         p.b + (p.transB ? column * p.ldb : column), p.ldb,
         (real)p.beta, c, p.ldc);

    // While the tile is in cache
    for (long i = 0; i < rows; ++i)
    {
        if (p.bias)
            for (long j = 0; j < columns; ++j)
                c[i * p.ldc + j] += p.bias[column + j];
        if (p.relu)
            rectify(p, row + i, column, columns);
    }
}


// A few rows of C: B is read once, a stripe of columns at a time, and the sums of a stripe stay in
// registers.
template <class real>
static void stripe(const Product<real> &p, long row, long column)
{
    enum { width = 1024 / sizeof(real) };
    long columns = least(width, p.n - column);
    const real *a = p.a + row * p.lda, *b = p.b + column;
    real *c = p.c + row * p.ldc + column;
    real sums[width] = {};

    long k = 0;
    if (columns == width)
        for (; k < p.k; ++k)
            for (long j = 0; j < width; ++j)
                sums[j] += a[k] * b[k * p.ldb + j];
    for (; k < p.k; ++k)
        for (long j = 0; j < columns; ++j)
            sums[j] += a[k] * b[k * p.ldb + j];

    for (long j = 0; j < columns; ++j)
    {
        real old = p.beta != 0 ? (real)p.beta * c[j] : 0;
        c[j] = (real)p.alpha * sums[j] + old + (p.bias ? p.bias[column + j] : 0);
    }
    if (p.relu)
        rectify(p, row, column, columns);
}


template <class real>
static void stripes(const char *arguments, long first, long last)
{
    const Product<real> &p = *(const Product<real> *)arguments;
    long across = (p.n + p.tileColumns - 1) / p.tileColumns;
    for (long t = first; t < last; ++t)
        stripe(p, t / across, t % across * p.tileColumns);
}


template <class real>
static void tiles(const char *arguments, long first, long last)
{
    const Product<real> &p = *(const Product<real> *)arguments;
    long across = (p.n + p.tileColumns - 1) / p.tileColumns;
    for (long t = first; t < last; ++t)
        tile(p, t / across * p.tileRows, t % across * p.tileColumns);
}

#define EXPORTED(name, function) \
    extern "C" void name(const char *arguments, long first, long last, long) \
    { \
        function(arguments, first, last); \
    }

EXPORTED(tiles_f, tiles<float>)
EXPORTED(tiles_d, tiles<double>)
EXPORTED(stripes_f, stripes<float>)
EXPORTED(stripes_d, stripes<double>)
