// One step of an optimizer over all parameters: g is the ascent direction, so every step adds to p.


// Before a step on parameters of 16 bits: their gradient in full, and the master copy of those that
// are no longer what it was rounded to, since others have set them.
__global__ void widen(
    const real *grad, const real *param, accum *gradInFull, accum *master, int size)
{
    GRID_LOOP(i, size)
    {
        accum p = param[i];
        gradInFull[i] = grad[i];
        master[i] = (real)master[i] == p ? master[i] : p;
    }
}


// p += rate g
__global__ void sgd(const real *grad, real *param, int size, accum rate)
{
    GRID_LOOP(i, size)
        param[i] += rate * grad[i];
}


// m = momentum m + rate g,    p += m
__global__ void momentumSgd(
    const real *grad, real *param, real *mom, int size, accum rate, accum momentum)
{
    GRID_LOOP(i, size)
    {
        accum m = momentum * mom[i] + rate * grad[i];
        mom[i] = m;
        param[i] += m;
    }
}


// p += momentum^2 m + (1 + momentum) rate g,    m = momentum m + rate g
__global__ void nesterovSgd(
    const real *grad, real *param, real *mom, int size, accum rate, accum momentum)
{
    GRID_LOOP(i, size)
    {
        accum m = mom[i], step = rate * grad[i];
        param[i] += momentum * momentum * m + (1 + momentum) * step;
        mom[i] = momentum * m + step;
    }
}


// h += g^2,    p += rate g / (sqrt(h) + epsilon)
__global__ void adaGrad(
    const real *grad, real *param, real *h, int size, accum rate, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i], sum = h[i] + g * g;
        h[i] = sum;
        param[i] += rate * g / (sqrt(sum) + epsilon);
    }
}


// msg = rho msg + (1 - rho) g^2,    d = sqrt((msdx + epsilon) / (msg + epsilon)) g
// msdx = rho msdx + (1 - rho) d^2,    p += rate d
__global__ void adaDelta(
    const real *grad, real *param, real *msg, real *msdx, int size,
    accum rate, accum rho, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i];
        accum s = rho * msg[i] + (1 - rho) * g * g;
        accum d = sqrt((msdx[i] + epsilon) / (s + epsilon)) * g;
        msg[i] = s;
        msdx[i] = rho * msdx[i] + (1 - rho) * d * d;
        param[i] += rate * d;
    }
}


// ms = factor ms + (1 - factor) g^2,    p += rate g / (sqrt(ms) + epsilon)
__global__ void rmsProp(
    const real *grad, real *param, real *ms, int size, accum rate, accum factor, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i];
        accum s = factor * ms[i] + (1 - factor) * g * g;
        ms[i] = s;
        param[i] += rate * g / (sqrt(s) + epsilon);
    }
}


// mg = alpha mg + (1 - alpha) g,    ms = alpha ms + (1 - alpha) g^2
// delta = momentum delta + rate g / sqrt(ms - mg^2 + epsilon),    p += delta
__global__ void rmsPropGraves(
    const real *grad, real *param, real *mg, real *ms, real *delta, int size,
    accum rate, accum alpha, accum momentum, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i];
        accum m = alpha * mg[i] + (1 - alpha) * g;
        accum s = alpha * ms[i] + (1 - alpha) * g * g;
        accum var = s - m * m;
        var = var < 0 ? 0 : var;  // a variance, but for rounding
        accum d = momentum * delta[i] + rate * g / sqrt(var + epsilon);
        mg[i] = m;
        ms[i] = s;
        delta[i] = d;
        param[i] += d;
    }
}


// r = 1 / (1 + mem),    mg = (1 - r) mg + r g,    ms = (1 - r) ms + r g^2
// x = mg^2 / (ms + epsilon),    mem = 1 + mem (1 - x)
// p += min(rate, x) g / (sqrt(ms) + epsilon)
__global__ void smorms3(
    const real *grad, real *param, real *mem, real *mg, real *ms, int size,
    accum rate, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i], r = 1 / (1 + mem[i]);
        accum m = (1 - r) * mg[i] + r * g;
        accum s = (1 - r) * ms[i] + r * g * g;
        accum x = m * m / (s + epsilon);
        mg[i] = m;
        ms[i] = s;
        mem[i] = 1 + mem[i] * (1 - x);
        param[i] += (x < rate ? x : rate) * g / (sqrt(s) + epsilon);
    }
}


// mg = beta1 mg + (1 - beta1) g,    ms = beta2 ms + (1 - beta2) g^2
// p += rate mg / (sqrt(ms) + epsilon),    rest1 = 1 - beta1,    rest2 = 1 - beta2
// The first `decaying` elements of p lose `decay` p before.
__global__ void adam(
    const real *grad, real *param, real *mg, real *ms, int size, int decaying,
    accum rate, accum rest1, accum rest2, accum epsilon, accum decay)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i], p = param[i];
        accum m = mg[i] + rest1 * (g - mg[i]);
        accum s = ms[i] + rest2 * (g * g - ms[i]);
        mg[i] = m;
        ms[i] = s;
        p = i < decaying ? p - decay * p : p;
        param[i] = p + rate * m / (sqrt(s) + epsilon);
    }
}


// What hooks do to gradients

// g -= rate sign(p)
__global__ void l1(const real *param, real *grad, int size, accum rate)
{
    GRID_LOOP(i, size)
    {
        accum p = param[i], sign = p > 0 ? 1 : p < 0 ? -1 : 0;
        grad[i] = grad[i] - rate * sign;
    }
}


// g = min(max(g, -limit), limit); NaN stays.
__global__ void clipValue(real *grad, int size, accum limit)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i];
        g = g > limit ? limit : g;
        grad[i] = g < -limit ? -limit : g;
    }
}


// squares[first + block] = sum of g^2 over the block's `share` elements
__global__ void sumSquares(const real *grad, accum *squares, int size, int share, int first)
{
    const real *part = grad + (long long)blockIdx.x * share;
    int rest = size - blockIdx.x * share;

    accum sum = 0;
    BLOCK_LOOP(i, rest < share ? rest : share)
        sum += (accum)part[i] * part[i];
    sum = blockSum(sum);

    if (threadIdx.x == 0)
        squares[first + blockIdx.x] = sum;
}


// g *= limit / norm where norm, the root of *square, is above the limit
__global__ void clipNorm(const accum *square, real *grad, int size, accum limit)
{
    accum norm = sqrt(square[0]), factor = norm > limit ? limit / norm : 1;
    GRID_LOOP(i, size)
        grad[i] = factor * grad[i];
}
