// Matrix products by BLAS, on one thread: C = alpha op(A) op(B) + beta C, where C is m x n, of
// matrices row by row with steps from row to row.

typedef int Int;
typedef void (*Sgemm)(
    Int order, Int transA, Int transB, Int m, Int n, Int k,
    float alpha, const float *a, Int lda, const float *b, Int ldb,
    float beta, float *c, Int ldc);
typedef void (*Dgemm)(
    Int order, Int transA, Int transB, Int m, Int n, Int k,
    double alpha, const double *a, Int lda, const double *b, Int ldb,
    double beta, double *c, Int ldc);

enum { rowMajor = 101, plain = 111, transposed = 112 };

static Sgemm sgemm;
static Dgemm dgemm;

extern "C" void minidlSetBlas(Sgemm sgemm_, Dgemm dgemm_)
{
    sgemm = sgemm_;
    dgemm = dgemm_;
}

static inline void gemm(
    Int transA, Int transB, Int m, Int n, Int k,
    float alpha, const float *a, Int lda, const float *b, Int ldb,
    float beta, float *c, Int ldc)
{
    sgemm(rowMajor, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static inline void gemm(
    Int transA, Int transB, Int m, Int n, Int k,
    double alpha, const double *a, Int lda, const double *b, Int ldb,
    double beta, double *c, Int ldc)
{
    dgemm(rowMajor, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
