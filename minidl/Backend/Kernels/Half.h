// Numbers of 16 bits, as arrays keep them: to compute with one is to compute with the float that it
// becomes, and what is written is rounded once, to nearest, ties to even. NaN stays NaN.
//
// This text comes before Cuda.h, then `typedef Half real; typedef float accum;`. A GPU has
// instructions for it; for the host compiler it is plain C++.

#if defined(__NVCC__) || defined(__CUDACC_RTC__)

#define OF_NUMBER __device__ __forceinline__

OF_NUMBER unsigned short halfBits(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

OF_NUMBER float floatOfHalf(unsigned short bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

OF_NUMBER unsigned bitsOf(float value) { return __float_as_uint(value); }
OF_NUMBER float floatOf(unsigned bits) { return __uint_as_float(bits); }

#else

#define OF_NUMBER inline

OF_NUMBER unsigned bitsOf(float value)
{
    unsigned bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}

OF_NUMBER float floatOf(unsigned bits)
{
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}

OF_NUMBER unsigned short halfBits(float value)
{
    unsigned bits = bitsOf(value), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFF;
    if (size > 0x7F800000)
        return sign | 0x7FFF;  // NaN
    if (size >= 0x477FF000)
        return sign | 0x7C00;  // from 65520 on it rounds to infinity
    if (size < 0x38800000)  // below 2^-14 a multiple of 2^-24, as numbers from 1/2 to 1 are
        return sign | (bitsOf(floatOf(size) + 0.5f) - bitsOf(0.5f));
    return sign | (size - 0x38000000 + 0xFFF + (size >> 13 & 1)) >> 13;
}

OF_NUMBER float floatOfHalf(unsigned short bits)
{
    unsigned sign = (bits & 0x8000u) << 16, size = bits & 0x7FFFu;
    if (size >= 0x7C00)
        return floatOf(sign | 0x7F800000 | size << 13);
    // In a float's place the exponent counts from 112 further down.
    return floatOf(sign | bitsOf(floatOf(size << 13) * floatOf((112 + 127) << 23)));
}

#endif

OF_NUMBER unsigned short bfloat16Bits(float value)
{
#if __CUDA_ARCH__ >= 800 && (defined(__NVCC__) || defined(__CUDACC_RTC__))
    unsigned short rounded;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(value));
    return rounded;
#else
    unsigned bits = bitsOf(value);
    return value != value ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
#endif
}

OF_NUMBER float floatOfBfloat16(unsigned short bits) { return floatOf((unsigned)bits << 16); }


#define NUMBER_OF_16_BITS(Number, bitsOfFloat, floatOfBits) \
    struct Number \
    { \
        unsigned short bits; \
        Number() = default; \
        OF_NUMBER Number(float value) : bits(bitsOfFloat(value)) {} \
        OF_NUMBER operator float() const { return floatOfBits(bits); } \
        OF_NUMBER Number &operator+=(float other) { return *this = *this + other; } \
    };

NUMBER_OF_16_BITS(Half, halfBits, floatOfHalf)
NUMBER_OF_16_BITS(Bfloat16, bfloat16Bits, floatOfBfloat16)
