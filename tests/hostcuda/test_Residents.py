"""Blocks that wait for each other, which run at once as far as the device has room."""

from tests.hostcuda import StandIn

pytestmark = StandIn.needed

script = '''
drv.init()
text = """
// Rounds of sums over all blocks; each block's part is in its shared memory.
__global__ void sums(int *y, int *parts, int *meetings, int rounds)
{
    extern __shared__ int own[];
    own[threadIdx.x] = threadIdx.x + blockIdx.x;
    for (int round = 0; round < rounds; ++round)
    {
        __syncthreads();
        if (threadIdx.x == 0)
        {
            int sum = 0;
            for (int i = 0; i < blockDim.x; ++i)
                sum += own[i];
            parts[round * gridDim.x + blockIdx.x] = sum;
            __threadfence();
            atomicAdd(meetings + round, 1);
            while (*(volatile int *)(meetings + round) < gridDim.x)
                __nanosleep(20);
        }
        __syncthreads();
        int sum = 0;
        for (int i = 0; i < gridDim.x; ++i)
            sum += parts[round * gridDim.x + i];
        own[threadIdx.x] += sum;
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = own[threadIdx.x];
}
__global__ void strays(int *y)
{
    if (blockIdx.x == gridDim.x - 1)
        y[1 << 20] = 1;
    while (*(volatile int *)y == 0)
        __nanosleep(20);
}
"""

def start(blocks, threads=40, rounds=3, shared=4096):
    function = SourceModule(text).get_function("sums")
    function.set_attribute(drv.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, shared)
    y, parts, meetings = (drv.to_device(np.zeros(size, np.int32))
                          for size in (blocks * threads, blocks * rounds, rounds))
    function(y, parts, meetings, np.int32(rounds), block=(threads, 1, 1), grid=(blocks, 1),
             shared=shared)
    return y

def sums(blocks, threads=40, rounds=3, **named):
    y = start(blocks, threads, rounds, **named)
    own = np.arange(threads, dtype=np.int32) + np.arange(blocks, dtype=np.int32)[:, None]
    for _ in range(rounds):
        own = own + own.sum(dtype=np.int32)
    assert (drv.from_device(y, own.shape, np.int32) == own).all()

'''


def test_blocks_that_wait_for_each_other_run_at_once():
    for order in ("forward", "reverse", "shuffle:1"):
        out, err = StandIn.run(script + """
with context():
    sums(1), sums(2), sums(7), sums(100), sums(8, threads=1024)
    sums(8, shared=81 << 10)
print("end")
""", HOSTCUDA_ORDER=order)
        assert (out, err) == ("end\n", "")


def test_blocks_without_room_are_waited_for_in_vain():
    out, err = StandIn.run(script + """
print(fault(lambda: start(9, threads=1024)))
print(fault(lambda: start(9, shared=60 << 10)))
with context():  # others go on
    sums(4)
""")
    assert "launch failure" in out
    waits = "blocks wait for others, for ever; 1 have not begun, and 8 run at once"
    assert err.count(f": 8 {waits}") == 2 and err.count("hostcuda: ") == 2


def test_a_fault_of_one_ends_all():
    out, err = StandIn.run(script + """
def strays(y):
    SourceModule(text).get_function("strays")(y, block=(2, 1, 1), grid=(3, 1))

print(fault(lambda: strays(drv.to_device(np.zeros(1, np.int32)))))
""")
    assert "illegal memory access" in out
    assert "kernel strays, block (2, 0, 0): reads or writes" in err
    assert err.count("hostcuda: ") == 1
