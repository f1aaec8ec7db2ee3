// Atomic operations: blocks run side by side, so they are atomic for the threads of the CPU. All
// return the old value.

namespace simt
{

template <class T> struct Same { typedef T type; };  // a parameter that takes no part in finding T

template <class T, class Next> static inline T update(T *address, Next next)
{
    T old, made;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do
        made = next(old);
    while (!__atomic_compare_exchange(
        address, &old, &made, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return old;
}

}

#define SIMT_ATOMIC(name, result) \
    template <class T> static inline T name(T *address, typename simt::Same<T>::type value) \
    { \
        return simt::update(address, [value](T old) { return (T)(result); }); \
    } \
    template <class T, class V> static inline T name##_block(T *address, V value) \
    { \
        return name(address, value); \
    } \
    template <class T, class V> static inline T name##_system(T *address, V value) \
    { \
        return name(address, value); \
    }

SIMT_ATOMIC(atomicAdd, old + value)
SIMT_ATOMIC(atomicSub, old - value)
SIMT_ATOMIC(atomicExch, value)
SIMT_ATOMIC(atomicMin, old < value ? old : value)
SIMT_ATOMIC(atomicMax, old > value ? old : value)
SIMT_ATOMIC(atomicAnd, old & value)
SIMT_ATOMIC(atomicOr, old | value)
SIMT_ATOMIC(atomicXor, old ^ value)
SIMT_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
SIMT_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)

template <class T>
static inline T atomicCAS(
    T *address, typename simt::Same<T>::type expected, typename simt::Same<T>::type value)
{
    __atomic_compare_exchange(
        address, &expected, &value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}

// What processors have an instruction for.
#define SIMT_ATOMIC_ADD(T) \
    static inline T atomicAdd(T *address, T value) \
    { \
        return __atomic_fetch_add(address, value, __ATOMIC_ACQ_REL); \
    }

SIMT_ATOMIC_ADD(int)
SIMT_ATOMIC_ADD(unsigned)
SIMT_ATOMIC_ADD(unsigned long long)
