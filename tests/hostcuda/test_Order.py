"""Blocks and threads in another order: a right kernel does not notice, a wrong one does."""


from tests.hostcuda import StandIn

pytestmark = StandIn.needed

script = '''
import sys
drv.init()
text = """
__global__ void last(int *y) { y[0] = blockIdx.x * blockDim.x + threadIdx.x; }
__global__ void most(int *y) { atomicMax(y, blockIdx.x * blockDim.x + threadIdx.x); }

// Each thread gives its neighbour's value; with and without a barrier between.
__global__ void shifted(int *y)
{
    __shared__ int values[96];
    values[threadIdx.x] = threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = threadIdx.x ? values[threadIdx.x - 1] : 0;
}
__global__ void careless(int *y)
{
    __shared__ int values[96];
    values[threadIdx.x] = threadIdx.x;
    y[threadIdx.x] = threadIdx.x ? values[threadIdx.x - 1] : 0;
}

// All that threads of a warp can do together.
__global__ void together(int *y)
{
    const unsigned all = 0xFFFFFFFF;
    int i = threadIdx.x, lane = i % 32, *own = y + 8 * i;
    own[0] = __shfl_up_sync(all, i, 1);
    own[1] = __shfl_xor_sync(all, i, 5);
    own[2] = __shfl_sync(all, i, 7, 16);
    own[3] = __ballot_sync(all, lane % 3 == 0);
    own[4] = __syncthreads_count(i % 7 == 0);
    own[5] = __reduce_max_sync(all, i ^ 21);
    own[6] = __match_any_sync(all, lane % 5);
    own[7] = 0;
    if (lane < 12)
        own[7] = __popc(__activemask()) + __shfl_down_sync(0xFFF, i, 3);
}
"""
with context():
    module = SourceModule(text)

    def result(name, size, threads, blocks=1):
        y = np.zeros(size, np.int32)
        function = module.get_function(name)
        function(drv.InOut(y), block=(threads, 1, 1), grid=(blocks, 1))
        return y

    assert result("most", 1, 70, 5) == 349
    i = np.arange(96)
    assert (result("shifted", 96, 96) == np.maximum(i - 1, 0)).all()
    lane, warp = i % 32, i // 32 * 32
    y = result("together", 8 * 96, 96).reshape(96, 8).astype(np.uint32)
    assert (y[:, 0] == np.where(lane, i - 1, i)).all()
    assert (y[:, 1] == warp + (lane ^ 5)).all()
    assert (y[:, 2] == i // 16 * 16 + 7).all()
    assert (y[:, 3] == sum(1 << k for k in range(0, 32, 3))).all()
    assert (y[:, 4] == 14).all()
    assert (y[:, 5] == warp + 31).all()
    assert (y[:, 6] == [sum(1 << k for k in range(32) if k % 5 == n % 5) for n in lane]).all()
    assert (y[:, 7] == np.where(lane < 12, 12 + i + np.where(lane < 9, 3, 0), 0)).all()
    print(result("last", 1, 70, 5)[0], result("last", 1, 70, 5)[0],
          (result("careless", 96, 96) == np.maximum(i - 1, 0)).all())
'''


def test_orders():
    outcome = {}
    for order in ("forward", "reverse", "shuffle:1", "shuffle:2"):
        outcome[order], _ = StandIn.run(script, HOSTCUDA_ORDER=order)

    assert outcome["forward"] == "349 349 True\n"
    assert outcome["reverse"] == "0 0 False\n"
    assert len(set(outcome.values())) == 4
    first, second, right = outcome["shuffle:1"].split()
    assert first != second and right == "False"
    assert StandIn.run(script, HOSTCUDA_ORDER="shuffle:1")[0] == outcome["shuffle:1"]
