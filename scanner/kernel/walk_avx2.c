/* The walk for x86-64 processors with AVX2, chosen at run time: see kernel_has_avx2. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#if KERNEL_HAS_AVX2_WALK
#include <immintrin.h>

#define KERNEL_AVX2 1
#define WALK_LINE walk_line_avx2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi")
#endif
#include "walk.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
