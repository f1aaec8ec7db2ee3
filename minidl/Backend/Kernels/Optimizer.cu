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


// mg = beta1 mg + (1 - beta1) g,    ms = beta2 ms + (1 - beta2) g^2
// p += rate mg / (sqrt(ms) + epsilon),    rest1 = 1 - beta1,    rest2 = 1 - beta2
__global__ void adam(
    const real *grad, real *param, real *mg, real *ms, int size,
    accum rate, accum rest1, accum rest2, accum epsilon)
{
    GRID_LOOP(i, size)
    {
        accum g = grad[i];
        accum m = mg[i] + rest1 * (g - mg[i]);
        accum s = ms[i] + rest2 * (g * g - ms[i]);
        mg[i] = m;
        ms[i] = s;
        param[i] += rate * m / (sqrt(s) + epsilon);
    }
}
