// cuBLASLt for the host stand-in: as much of it as minidl calls, by the book and slowly. It takes
// what the real library's documentation says, and refuses what that would refuse.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __device__ static inline
#include "../../../minidl/Backend/Kernels/Half.h"

extern "C" int cuStreamSynchronize(void *stream);

enum Status { success = 0, invalidValue = 7, notSupported = 15 };
enum Type { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 14 };
enum Compute { compute32 = 68, compute64 = 70, computeTf32 = 77 };
enum Epilogue { plain = 1, bias = 4 };
enum Attribute { transA = 3, transB = 4, epilogue = 7, biasPointer = 8 };

struct Operation
{
    int compute, scale, trans[2], epilogue;
    const void *bias;
};

struct Layout
{
    int type;
    uint64_t rows, columns;
    int64_t stride;
};

struct Heuristic
{
    uint64_t algorithm[8];
    size_t workspace;
    int status;
    float waves;
    int reserved[4];
};

struct Preference { uint64_t workspace; uint32_t alignment[4]; };

static double get(int type, const void *data, int64_t at)
{
    switch (type)
    {
        case float64: return ((const double *)data)[at];
        case float16: return (float)((const Half *)data)[at];
        case bfloat16: return (float)((const Bfloat16 *)data)[at];
        default: return ((const float *)data)[at];
    }
}

static void put(int type, void *data, int64_t at, double value)
{
    switch (type)
    {
        case float64: ((double *)data)[at] = value; break;
        case float16: ((Half *)data)[at] = (float)value; break;
        case bfloat16: ((Bfloat16 *)data)[at] = (float)value; break;
        default: ((float *)data)[at] = (float)value;
    }
}

static double scalar(const Operation *operation, const void *value)
{
    return get(operation->scale, value, 0);
}

// Whether op(a) op(b) = d fit, with strides that reach from column to column.
static bool fit(const Operation *o, const Layout *a, const Layout *b, const Layout *d)
{
    uint64_t rows = o->trans[0] ? a->columns : a->rows, inner = o->trans[0] ? a->rows : a->columns;
    uint64_t innerB = o->trans[1] ? b->columns : b->rows;
    uint64_t columns = o->trans[1] ? b->rows : b->columns;
    bool longEnough = a->stride >= (int64_t)a->rows && b->stride >= (int64_t)b->rows
        && d->stride >= (int64_t)d->rows;
    bool known = o->epilogue == plain || o->epilogue == bias;
    bool scaled = o->scale == (d->type == float64 ? float64 : float32)
        && (o->compute == compute64) == (d->type == float64)
        && (o->compute != computeTf32 || d->type == float32);
    return rows == d->rows && columns == d->columns && inner == innerB && inner && rows && columns
        && longEnough && known && scaled && a->type == d->type && b->type == d->type;
}

extern "C"
{

size_t cublasLtGetVersion() { return 130000; }
size_t cublasLtGetCudartVersion() { return 13000; }
const char *cublasLtGetStatusName(int status) { return status ? "CUBLAS_STATUS_ERROR" : "success"; }
const char *cublasLtGetStatusString(int status) { return cublasLtGetStatusName(status); }

int cublasLtCreate(void **handle) { *handle = new int; return success; }
int cublasLtDestroy(void *handle) { delete (int *)handle; return success; }

int cublasLtMatmulDescCreate(Operation **operation, int compute, int scale)
{
    *operation = new Operation{compute, scale, {0, 0}, plain, nullptr};
    return success;
}

int cublasLtMatmulDescDestroy(Operation *operation) { delete operation; return success; }

int cublasLtMatmulDescSetAttribute(Operation *o, int name, const void *value, size_t size)
{
    if (name == biasPointer && size == sizeof o->bias)
        memcpy(&o->bias, value, size);
    else if (name == epilogue && size == 4)
        memcpy(&o->epilogue, value, size);
    else if ((name == transA || name == transB) && size == 4)
        memcpy(&o->trans[name - transA], value, size);
    else
        return invalidValue;
    return success;
}

int cublasLtMatrixLayoutCreate(
    Layout **layout, int type, uint64_t rows, uint64_t columns, int64_t stride)
{
    *layout = new Layout{type, rows, columns, stride};
    return success;
}

int cublasLtMatrixLayoutDestroy(Layout *layout) { delete layout; return success; }

int cublasLtMatmulPreferenceCreate(Preference **preference)
{
    *preference = new Preference{0, {256, 256, 256, 256}};
    return success;
}

int cublasLtMatmulPreferenceDestroy(Preference *preference) { delete preference; return success; }

int cublasLtMatmulPreferenceSetAttribute(Preference *p, int name, const void *value, size_t size)
{
    if (name == 1 && size == 8)
        memcpy(&p->workspace, value, size);
    else if (name >= 5 && name <= 8 && size == 4)
        memcpy(&p->alignment[name - 5], value, size);
    else
        return invalidValue;
    return success;
}

int cublasLtMatmulAlgoGetHeuristic(
    void *, const Operation *operation, const Layout *a, const Layout *b, const Layout *,
    const Layout *d, const Preference *preference, int, Heuristic *result, int *number)
{
    *number = fit(operation, a, b, d);
    // The algorithm remembers what the pointers must be aligned to.
    *result = {{preference->alignment[0]}, 0, success, 1, {0}};
    return *number ? success : notSupported;
}

int cublasLtMatmul(
    void *, const Operation *o, const void *alpha, const void *a, const Layout *aLayout,
    const void *b, const Layout *bLayout, const void *beta, const void *c, const Layout *cLayout,
    void *d, const Layout *dLayout, const uint64_t *algorithm, void *, size_t, void *stream)
{
    if (!fit(o, aLayout, bLayout, dLayout) || c != d || cLayout != dLayout)
        return invalidValue;
    bool needsBias = o->epilogue == bias;
    if (((uintptr_t)a | (uintptr_t)b | (uintptr_t)d) % algorithm[0] || (needsBias && !o->bias))
        return invalidValue;

    cuStreamSynchronize(stream);
    const uint64_t inner = o->trans[0] ? aLayout->rows : aLayout->columns;
    const double factor = scalar(o, alpha), kept = scalar(o, beta);
    for (uint64_t column = 0; column < dLayout->columns; ++column)
        for (uint64_t row = 0; row < dLayout->rows; ++row)
        {
            double sum = 0;
            for (uint64_t k = 0; k < inner; ++k)
            {
                int64_t atA = o->trans[0] ? k + row * aLayout->stride : row + k * aLayout->stride;
                int64_t atB = o->trans[1]
                    ? column + k * bLayout->stride : k + column * bLayout->stride;
                sum += get(aLayout->type, a, atA) * get(bLayout->type, b, atB);
            }
            int64_t at = row + column * dLayout->stride;
            sum = factor * sum + (kept == 0 ? 0 : kept * get(dLayout->type, d, at));
            if (needsBias)
                sum += get(dLayout->type, o->bias, row);
            put(dLayout->type, d, at, sum);
        }
    return success;
}

}
