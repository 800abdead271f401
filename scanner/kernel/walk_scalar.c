/* The walk for any processor. */
#define KERNEL_AVX2 0
#define WALK_LINE walk_line_scalar
#include "walk.h"
