// y = x for two arrays of one shape, each with strides of its own, in bytes. `real` is any
// type of the elements' size.

#define AXES 8

struct Axes
{
    int size, number, sizes[AXES];
    long long xStrides[AXES], yStrides[AXES];
};

__global__ void stridedCopy(const char *x, char *y, Axes axes)
{
    GRID_LOOP(i, axes.size)
    {
        const char *from = x;
        char *to = y;
        for (int axis = axes.number - 1, rest = i; axis >= 0; --axis)
        {
            int index = rest % axes.sizes[axis];
            rest /= axes.sizes[axis];
            from += index * axes.xStrides[axis];
            to += index * axes.yStrides[axis];
        }
        *(real *)to = *(const real *)from;
    }
}
