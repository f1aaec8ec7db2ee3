// Convolutions whose window is a single number, at every place: a matrix product for each sample.
//
//     target = W source + bias
//
// of matrices (maps, places), by BLAS; W is turned on the way back. A task has some rows of one.

template <class real> struct Pointwise
{
    const real *source, *filters, *bias;  // bias: a number for each map of the target, or null
    real *target, *packed;  // packed: nothing
    long groups, sourceMaps, targetMaps, places;  // maps of a group
    long isTurned, rows, blocks;  // blocks: of so many rows, of a group
};

template <class real> static void pointwise(const Pointwise<real> &p, long task)
{
    const long first = task % p.blocks * p.rows, rows = least(p.rows, p.targetMaps - first);
    const long groups = task / p.blocks, group = groups % p.groups;  // groups: of all samples
    const real *filters = p.filters + group * p.targetMaps * p.sourceMaps;
    real *target = p.target + (groups * p.targetMaps + first) * p.places;
    gemm(p.isTurned ? transposed : plain, plain, rows, p.places, p.sourceMaps, (real)1,
         filters + (p.isTurned ? first : first * p.sourceMaps),
         p.isTurned ? p.targetMaps : p.sourceMaps,
         p.source + groups * p.sourceMaps * p.places, p.places, (real)0, target, p.places);

    if (p.bias)  // while the rows are in cache
        for (long row = 0; row < rows; ++row)
            for (long i = 0; i < p.places; ++i)
                target[row * p.places + i] += p.bias[group * p.targetMaps + first + row];
}


EXPORTED(pointwise_f, Pointwise<float>, pointwise)
EXPORTED(pointwise_d, Pointwise<double>, pointwise)
