// Activations, element by element. `y` may be `x`: every element is read before it is written.
// Backward kernels find the derivative from the output y; `xGrad` may be `grad`.


// y = max(x, 0); NaN stays NaN.
__global__ void reluForward(const real *x, real *y, int size)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i];
        y[i] = v < 0 ? 0 : v;
    }
}

// dx = dy where y > 0: exactly where x > 0.
__global__ void reluBackward(const real *y, const real *grad, real *xGrad, int size)
{
    GRID_LOOP(i, size)
        xGrad[i] = y[i] > 0 ? (accum)grad[i] : 0;
}


// y = x where x > 0, else slope x
__global__ void leakyReluForward(const real *x, real *y, int size, accum slope)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i];
        y[i] = v < 0 ? slope * v : v;
    }
}

__global__ void leakyReluBackward(
    const real *y, const real *grad, real *xGrad, int size, accum slope)
{
    GRID_LOOP(i, size)
        xGrad[i] = y[i] > 0 ? (accum)grad[i] : slope * grad[i];
}


// y = 1 / (1 + exp(-x))
__global__ void sigmoidForward(const real *x, real *y, int size)
{
    GRID_LOOP(i, size)
        y[i] = 1 / (1 + exp(-(accum)x[i]));
}

// dx = y (1 - y) dy
__global__ void sigmoidBackward(const real *y, const real *grad, real *xGrad, int size)
{
    GRID_LOOP(i, size)
        xGrad[i] = grad[i] * y[i] * (1 - y[i]);
}


// y = tanh(x)
__global__ void tanhForward(const real *x, real *y, int size)
{
    GRID_LOOP(i, size)
        y[i] = tanh((accum)x[i]);
}

// dx = (1 - y^2) dy
__global__ void tanhBackward(const real *y, const real *grad, real *xGrad, int size)
{
    GRID_LOOP(i, size)
        xGrad[i] = grad[i] * (1 - y[i] * y[i]);
}


// y = x where x > 0, else a (exp(x) - 1)
__global__ void eluForward(const real *x, real *y, int size, accum a)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i], low = a * expm1(v);
        y[i] = v > 0 ? v : low;
    }
}

// dx = dy where y > 0, else (y + a) dy, since a exp(x) = y + a
__global__ void eluBackward(const real *y, const real *grad, real *xGrad, int size, accum a)
{
    GRID_LOOP(i, size)
        xGrad[i] = y[i] > 0 ? (accum)grad[i] : grad[i] * (y[i] + a);
}


// y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), whose exponential cannot overflow
__global__ void softPlusForward(const real *x, real *y, int size)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i];
        y[i] = (v < 0 ? 0 : v) + log1p(exp(-fabs(v)));
    }
}

// dx = dy / (1 + exp(-x)) = (1 - exp(-y)) dy
__global__ void softPlusBackward(const real *y, const real *grad, real *xGrad, int size)
{
    GRID_LOOP(i, size)
        xGrad[i] = -grad[i] * expm1(-(accum)y[i]);
}


// y = min(max(x, low), high)
__global__ void clipForward(const real *x, real *y, int size, accum low, accum high)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i];
        v = v < low ? low : v;
        y[i] = v > high ? high : v;
    }
}

// dx = dy strictly between the two bounds, as rounded as those in y
__global__ void clipBackward(
    const real *y, const real *grad, real *xGrad, int size, accum low, accum high)
{
    accum least = (real)low, most = (real)high;
    GRID_LOOP(i, size)
        xGrad[i] = y[i] > least && y[i] < most ? (accum)grad[i] : 0;
}
