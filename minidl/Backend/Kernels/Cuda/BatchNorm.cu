// The training kernels of ../BatchNorm.cu, whose functions come before this text, for a GPU. Time
// goes to memory there: a number is read once, where the chip has room for it until it is needed
// again. BatchNorm.h says how a tensor is cut into groups, for teams, and pieces, for blocks.
//
//     Held      A block holds its piece in shared memory from the sums to the results. Blocks of a
//               team wait for each other, so all blocks of the grid must be at work at once.
//     Pieces, Merge, Spread    For larger groups: the sums of all pieces, then of all groups, then
//               the results, the last pieces first, since these are still in the cache.


// The arguments of ../BatchNorm.cu, but for the sizes.
struct Training
{
    const real *x, *z;
    const accum *scale, *bias;
    real *y;
    accum *batchMean, *batchInvStd, *mean, *var;
    int freedom, adds;
    accum epsilon, factor, floor, ceiling, leak;
};

struct Gradients
{
    const real *x, *y, *grad;
    const accum *scale, *bias, *batchMean, *batchInvStd;
    real *xGrad, *zGrad;
    accum *scaleGrad, *biasGrad;
    int adds;
    accum floor, ceiling, leak;
};


// What y needs of the statistics; one block of a team keeps them.
__device__ void settle(const Training &t, const Piece &p, const Shares &s, Maps &m)
{
    BLOCK_LOOP(c, p.channels)
    {
        int map = p.map + c;
        accum mu = m.mu[c] + finiteOrZero(m.sum[c]), squares = m.products[c];
        accum invStd = 1 / sqrt(squares / countOf(s) + t.epsilon);
        m.mu[c] = mu, m.slope[c] = t.scale[map] * invStd, m.offset[c] = t.bias[map];
        if (p.member > 0)
            continue;
        t.batchMean[map] = mu, t.batchInvStd[map] = invStd;
        follow(t.mean[map], t.var[map], mu, squares, invStd, t.freedom, t.factor);
    }
    __syncthreads();
}

// y, where the piece of x begins at `from`, with `pitch` vectors from row to row.
__device__ void normalize(
    const Training &t, const Piece &p, const Maps &m, const Numbers *from, int pitch)
{
    const Numbers *z = (const Numbers *)(t.z + p.first);
    Numbers *to = (Numbers *)(t.y + p.first);
    COLUMN_LOOP(v, p)
    {
        const Lines lines = linesOf(m, p, v);
        DOWN_LOOP(n, p)
        {
            Numbers x = from[n * pitch + v], added = t.adds ? z[n * p.pitch + v] : x, y;
            WIDE_LOOP(l)
            {
                accum value = fma(x.at[l] - lines.mu[l], lines.slope[l], lines.offset[l]);
                y.at[l] = bent(
                    t.adds ? value + added.at[l] : value, t.floor, t.ceiling, t.leak);
            }
            to[n * p.pitch + v] = y;
        }
    }
}


__global__ void __launch_bounds__(BLOCK, RESIDENT) trainHeld(Training t, Shares s)
{
    extern __shared__ Numbers held[];
    __shared__ Maps m;
    TEAM_LOOP(group, s)
    {
        const Piece p = pieceOf(s, group, blockIdx.x % s.team);
        hold(held, t.x, p);
        waitForHeld();
        statistics(held, p, m);
        if (s.team > 1)
        {
            publish(m, p, s);
            meet(s.meetings + group, s.team);
            mergeStatistics(p, s, m);
        }
        settle(t, p, s, m);
        normalize(t, p, m, held, p.vectors);
        __syncthreads(); // the next piece overwrites this one
    }
}


__global__ void __launch_bounds__(BLOCK, RESIDENT) trainPieces(Training t, Shares s)
{
    extern __shared__ Numbers held[];
    __shared__ Maps m;
    const Piece p = pieceOf(s, blockIdx.x / s.team, blockIdx.x % s.team);
    hold(held, t.x, p);
    waitForHeld();
    statistics(held, p, m);
    publish(m, p, s);
}

__global__ void trainMerge(Training t, Shares s)
{
    __shared__ Maps m;
    const Piece p = pieceOf(s, blockIdx.x, 0);
    mergeStatistics(p, s, m);
    settle(t, p, s, m);
}

__global__ void trainSpread(Training t, Shares s)
{
    __shared__ Maps m;
    const int block = gridDim.x - 1 - blockIdx.x;
    const Piece p = pieceOf(s, block / s.team, block % s.team);
    takeLines(p, m, t.scale, t.bias, t.batchMean, t.batchInvStd);
    normalize(t, p, m, (const Numbers *)(t.x + p.first), p.pitch);
}


// Where a piece lies: in shared memory or in the tensors.
struct Place
{
    const Numbers *x, *y, *grad;
    int pitch;
};

__device__ Place inTensors(const Gradients &t, const Piece &p)
{
    return {
        (const Numbers *)(t.x + p.first), (const Numbers *)(t.y + p.first),
        (const Numbers *)(t.grad + p.first), p.pitch};
}

// d = x - mu, and g, of vector i.
__device__ void bentBackAll(
    const Gradients &t, const Lines &lines, const Place &from, int i, Lanes &d, Lanes &g)
{
    Numbers x = from.x[i], grad = from.grad[i], y = t.adds ? from.y[i] : x;
    WIDE_LOOP(l)
    {
        d.at[l] = x.at[l] - lines.mu[l];
        accum v = t.adds ? (accum)y.at[l] : fma(d.at[l], lines.slope[l], lines.offset[l]);
        g.at[l] = bentBack(v, grad.at[l], t.floor, t.ceiling, t.leak);
    }
}

// Gives m.sum the sums of g, and m.products those of g * (x - mu).
__device__ void sumGradients(const Gradients &t, const Piece &p, const Place &from, Maps &m)
{
    Lanes sum = {}, products = {};
    COLUMN_LOOP(v, p)
    {
        const Lines lines = linesOf(m, p, v);
        DOWN_LOOP(n, p)
        {
            Lanes d, g;
            bentBackAll(t, lines, from, n * from.pitch + v, d, g);
            WIDE_LOOP(l)
            {
                sum.at[l] += g.at[l];
                products.at[l] += g.at[l] * d.at[l];
            }
        }
    }
    sumByMap(sum, p, m.sum);
    sumByMap(products, p, m.products);
}

// The same of whole maps, from what the team has published.
__device__ void mergeSums(const Piece &p, const Shares &s, Maps &m)
{
    WARP_LOOP(c, p)
    {
        const Partial *partials = s.partials + (p.map + c) * s.team;
        accum sum = 0, products = 0;
        for (int i = threadIdx.x % WARP; i < s.team; i += WARP)
        {
            sum += __ldcg(&partials[i].sum);
            products += __ldcg(&partials[i].products);
        }
        m.sum[c] = warpSum(sum), m.products[c] = warpSum(products);
    }
    __syncthreads();
}

// Makes m.products those with xHat; one block of a team keeps both sums.
__device__ void keep(const Gradients &t, const Piece &p, Maps &m)
{
    BLOCK_LOOP(c, p.channels)
    {
        m.products[c] *= t.batchInvStd[p.map + c];
        if (p.member > 0)
            continue;
        t.scaleGrad[p.map + c] = m.products[c];
        t.biasGrad[p.map + c] = m.sum[c];
    }
}

// dx and dz from the sums.
__device__ void spreadGradients(
    const Gradients &t, const Piece &p, const Shares &s, const Place &from, Maps &m)
{
    BLOCK_LOOP(c, p.channels)
    {
        m.sum[c] /= countOf(s);
        m.products[c] *= t.batchInvStd[p.map + c] / countOf(s);
    }
    __syncthreads();

    Numbers *xGrads = (Numbers *)(t.xGrad + p.first), *zGrads = (Numbers *)(t.zGrad + p.first);
    COLUMN_LOOP(v, p)
    {
        const Lines lines = linesOf(m, p, v);
        DOWN_LOOP(n, p)
        {
            Lanes d, g;
            bentBackAll(t, lines, from, n * from.pitch + v, d, g);
            Numbers xGrad, zGrad;
            WIDE_LOOP(l)
            {
                xGrad.at[l] = lines.slope[l]
                    * (g.at[l] - lines.sum[l] - d.at[l] * lines.products[l]);
                zGrad.at[l] = g.at[l];
            }
            xGrads[n * p.pitch + v] = xGrad;
            if (t.adds)
                zGrads[n * p.pitch + v] = zGrad;
        }
    }
}


__global__ void __launch_bounds__(BLOCK, RESIDENT) backwardHeld(Gradients t, Shares s)
{
    extern __shared__ Numbers held[];
    __shared__ Maps m;
    TEAM_LOOP(group, s)
    {
        const Piece p = pieceOf(s, group, blockIdx.x % s.team);
        const int size = p.rows * p.vectors;
        hold(held, t.x, p);
        hold(held + size, t.grad, p);
        if (t.adds)
            hold(held + 2 * size, t.y, p);
        takeLines(p, m, t.scale, t.bias, t.batchMean, t.batchInvStd);
        waitForHeld();

        const Place place = {held, held + 2 * size, held + size, p.vectors};
        sumGradients(t, p, place, m);
        if (s.team > 1)
        {
            publish(m, p, s);
            meet(s.meetings + group, s.team);
            mergeSums(p, s, m);
        }
        keep(t, p, m);
        spreadGradients(t, p, s, place, m);
        __syncthreads(); // the next piece overwrites this one
    }
}


__global__ void backwardPieces(Gradients t, Shares s)
{
    __shared__ Maps m;
    const Piece p = pieceOf(s, blockIdx.x / s.team, blockIdx.x % s.team);
    takeLines(p, m, t.scale, t.bias, t.batchMean, t.batchInvStd);
    sumGradients(t, p, inTensors(t, p), m);
    publish(m, p, s);
}

__global__ void backwardMerge(Gradients t, Shares s)
{
    __shared__ Maps m;
    const Piece p = pieceOf(s, blockIdx.x, 0);
    mergeSums(p, s, m);
    keep(t, p, m);
}

__global__ void backwardSpread(Gradients t, Shares s)
{
    __shared__ Maps m;
    const int block = gridDim.x - 1 - blockIdx.x;
    const Piece p = pieceOf(s, block / s.team, block % s.team);
    takeLines(p, m, t.scale, t.bias, t.batchMean, t.batchInvStd);
    BLOCK_LOOP(c, p.channels)
        m.sum[c] = t.biasGrad[p.map + c], m.products[c] = t.scaleGrad[p.map + c];
    spreadGradients(t, p, s, inTensors(t, p), m);
}
