// y = x Phi(x), where Phi is the distribution of the standard normal:
//
//     Phi(x) = erfc(-x / sqrt(2)) / 2,    dPhi/dx = phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
//
// erfc, not 1 + erf, keeps the digits of the left tail. `y` may be `x`.


__device__ accum distribution(accum x) { return erfc(x * (accum)-0.7071067811865476) / 2; }

__global__ void geluForward(const real *x, real *y, int size)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i];
        y[i] = v * distribution(v);
    }
}


// dx = (Phi(x) + x phi(x)) dy
__global__ void geluBackward(const real *x, const real *grad, real *xGrad, int size)
{
    GRID_LOOP(i, size)
    {
        accum v = x[i], density = (accum)0.3989422804014327 * exp(-v * v / 2);
        xGrad[i] = (distribution(v) + v * density) * grad[i];
    }
}
