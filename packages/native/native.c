/*
 * Matrix products and fused elementwise loops on the memory of a WebAssembly module, behind Node-API.
 *
 * The file includes itself once for each instruction set: the part under `#ifdef LANES` is written once over vectors of LANES
 * floats and becomes AVX-512, AVX2 + FMA, NEON and portable code. Which one runs is decided when the file is loaded. With AVX-512
 * loops (loops.h) become machine code of their own (machineCode.h).
 *
 * Two promises hold for every instruction set:
 * - each element of a product is one chain of multiply-adds in the order of k, so the bits of a row depend neither on how many
 *   rows are computed together nor on blocking (with FMA they are the same on AVX-512, AVX2 and NEON);
 * - loops use the formulas and the order of the WebAssembly emitters, with no contraction, and give the same bits.
 *
 * Build: cc -O3 -fPIC -shared -ffp-contract=off.
 */
#ifndef LANES

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#define X86 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define ARM 1
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "WebAssembly memory is little-endian"
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#if defined(X86) && defined(__linux__)
#define COMPILES 1
#endif

#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")

enum { panelWidth = 16, outerBlock = 384, panelLimit = 64 };
/* A matrix of more numbers, 1 MiB, leaves the second-level cache; one half as large does if another of its size is used in turns with it.
 * One of more than `streamedSize`, 2 MiB, is packed past the caches. */
enum { farSize = 1 << 18, sharedSize = 1 << 17, streamedSize = 1 << 19, lineSize = 16, collidingRow = 512 };

static inline long least(long a, long b) { return a < b ? a : b; }
static inline long roundUp(long a, long unit) { return (a + unit - 1) / unit * unit; }

/* ---- loops: what an instruction set offers ------------------------------------------------------------------------- */

/* Where the values of a tile lie: rows `row` floats apart, along a row next to each other (step 1) or all the same (step 0). */
typedef struct {
  float *at;
  long row;
  long step;
} Values;

/* The shape of a tile. Vectors are whole: lanes behind `columns` hold anything. */
typedef struct {
  long rows, columns;
} Tile;

enum { literalOp = 1, positionOp = 2, stepOp = 3, randomOp = 4, unaryOp = 5, binaryOp = 6, selectOp = 7, loadOp = 0 };
enum { tanhOp = 3, sigmoidOp = 4, addOp = 0 }; /* rows of the tables of unary and binary ops */
enum { unaryCount = 11, binaryCount = 8, mostDims = 6, mostSteps = 4, mostAxes = 8, mostBases = 2, mostHashed = mostDims + mostSteps };

/* One position that a random number depends on: it starts at `first` and grows by `perRow` and `perColumn`. */
typedef struct {
  uint32_t first, perRow, perColumn;
} Position;

typedef struct {
  void (*unary[unaryCount])(Tile tile, Values to, Values x);
  void (*binary[binaryCount])(Tile tile, Values to, Values a, Values b);
  /* Of a + b, of (a + b) + c; NULL where there is none. */
  void (*unaryOfTwo[unaryCount])(Tile tile, Values to, Values a, Values b);
  void (*unaryOfThree[unaryCount])(Tile tile, Values to, Values a, Values b, Values c);
  void (*select)(Tile tile, Values to, Values condition, Values a, Values b);
  void (*random)(Tile tile, Values to, Values seed, uint32_t stream, const Position *positions, int count);
  void (*copy)(Tile tile, Values to, Values from, int exact);
  void (*fill)(float *to, float value);
  /* target[j] = target[j] op x[row][j], row after row; rows of the target are targetRow apart. */
  void (*combine)(Tile tile, int op, float *target, long targetRow, Values x);
} LoopKernels;

/* Floats of a tile of one value: several of them fit the first-level cache. */
#ifndef TILE
#define TILE 1024
#endif
enum { tileLimit = TILE, widestLanes = 16 };

/* Blocks of rows with the same weights: those of A and of C lie so many floats apart. */
typedef struct {
  long count, aApart, cApart;
} Blocks;
#define ONE_BLOCK ((Blocks){1, 0, 0})

/* A sum of outer products, C [m, n] = Σ over rows of aᵀ b: what it has besides A, and room for its packed rows of B. */
typedef struct {
  const float *b;
  long bRow;
  float *c;
  long cRow, n;
  float *packed;
} Sum;

/* What the kernels of one instruction set offer. Strides in floats. */
typedef struct {
  const char *name;
  long width; /* columns of a full panel */
  void (*gemm)(const float *a, long aRow, const float *packed, float *c, long cRow, long m, long n, long k, int accumulate, Blocks blocks);
  void (*outer)(const float *a, long aRow, long m, long rows, const Sum *sums, int count, float *packedA);
  float (*peak)(long iterations);
  double peakFlops; /* of one iteration */
  const LoopKernels *loops;
  int lanes;
} Kernels;

/* Floats that `outer` needs for packed rows of A. */
enum { packedALimit = outerBlock * 256 };

/* An operand of `outer`: columns next to each other, in rows that lie `row` apart. */
typedef struct {
  const float *at;
  long row, count;
} Columns;

static const Kernels *active;

/* ---- pack ---------------------------------------------------------------------------------------------------------- */

#ifdef X86
/* Writes rows of whole vectors past the caches, which then need not read what is overwritten. `to` begins a line, as `toRow` does. */
__attribute__((target("avx512f"))) static void streamRows(const float *from, long fromRow, float *to, long toRow, long rows, long columns) {
  for (long row = 0; row < rows; row++)
    for (long i = 0; i < columns; i += lineSize) _mm512_stream_ps(to + row * toRow + i, _mm512_loadu_ps(from + row * fromRow + i));
}
#endif

/* Whether a packed matrix is written past the caches: it has left them anyway when it is read. */
static int isStreamed(const float *target, long k, long n) {
  return k * n > streamedSize && active->lanes == 16 && (uintptr_t)target % 64 == 0;
}

/* One panel of a matrix whose columns lie next to each other. */
static void packRun(const float *from, long rowStride, float *target, long k, long columns, long wide) {
  for (long row = 0; row < k; row++) {
    if (columns == 64) memcpy(target, from, 64 * sizeof(float));
    else if (columns == 16) memcpy(target, from, 16 * sizeof(float));
    else {
      memcpy(target, from, columns * sizeof(float));
      for (long i = columns; i < wide; i++) target[i] = 0;
    }
    from += rowStride;
    target += wide;
  }
}

#ifdef X86
/* Eight columns, `columnStride` apart, each with eight rows next to each other, become eight rows, `wide` apart. */
__attribute__((target("avx2"))) static void turnEight(const float *from, long columnStride, float *to, long wide) {
  __m256 low[4], high[4];
  for (int i = 0; i < 4; i++) {
    const __m256 a = _mm256_loadu_ps(from + i * columnStride), b = _mm256_loadu_ps(from + (i + 4) * columnStride);
    low[i] = _mm256_permute2f128_ps(a, b, 0x20);  /* rows 0–3 of columns i and i + 4 */
    high[i] = _mm256_permute2f128_ps(a, b, 0x31); /* rows 4–7 */
  }
  for (int half = 0; half < 2; half++) {
    const __m256 *c = half == 0 ? low : high;
    const __m256 ab = _mm256_unpacklo_ps(c[0], c[1]), cd = _mm256_unpacklo_ps(c[2], c[3]);
    const __m256 AB = _mm256_unpackhi_ps(c[0], c[1]), CD = _mm256_unpackhi_ps(c[2], c[3]);
    float *row = to + half * 4 * wide;
    _mm256_storeu_ps(row, _mm256_shuffle_ps(ab, cd, 0x44));
    _mm256_storeu_ps(row + wide, _mm256_shuffle_ps(ab, cd, 0xee));
    _mm256_storeu_ps(row + 2 * wide, _mm256_shuffle_ps(AB, CD, 0x44));
    _mm256_storeu_ps(row + 3 * wide, _mm256_shuffle_ps(AB, CD, 0xee));
  }
}
#endif

/* Rows become columns: from [rows][columns], to [columns][rows]. */
static void turn(const float *from, long fromRow, float *to, long toRow, long rows, long columns) {
  long whole = 0;
#ifdef X86
  if (active->lanes >= 8) {
    whole = rows / 8 * 8;
    for (long column = 0; column + 8 <= columns; column += 8)
      for (long row = 0; row < whole; row += 8)
        turnEight(from + row * fromRow + column, fromRow, to + column * toRow + row, toRow);
  }
#endif
  for (long column = 0; column < columns; column++)
    for (long row = column < columns / 8 * 8 ? whole : 0; row < rows; row++) to[column * toRow + row] = from[row * fromRow + column];
}

/* Whole eights of rows of panelWidth columns that lie apart, rows next to each other. Returns how many rows that were. */
static long turnColumns(const float *corner, long columnStride, float *to, long k, long wide, int streamed) {
#ifdef X86
  if (active->lanes < 8) return 0;
  float eight[8 * panelWidth];
  for (long row = 0; row + 8 <= k; row += 8) {
    float *rows = streamed ? eight : to + row * wide;
    for (long i = 0; i < panelWidth; i += 8)
      turnEight(corner + row + i * columnStride, columnStride, rows + i, streamed ? panelWidth : wide);
    if (streamed) streamRows(eight, panelWidth, to + row * wide, wide, 8, panelWidth);
  }
  return k / 8 * 8;
#else
  (void)corner, (void)columnStride, (void)to, (void)k, (void)wide, (void)streamed;
  return 0;
#endif
}

/* Panels of `width` columns; the last one is as wide as its columns, rounded up to panelWidth and filled with zeros. */
static void packPanels(const float *source, long rowStride, long columnStride, float *target, long k, long n, long width) {
  const int streamed = isStreamed(target, k, n);
  for (long column = 0; column < n; column += width) {
    long columns = least(width, n - column), wide = roundUp(columns, panelWidth);
    const float *from = source + column * columnStride;
    if (columnStride == 1) {
#ifdef X86
      if (streamed && columns == wide) streamRows(from, rowStride, target, wide, k, wide);
      else
#endif
        packRun(from, rowStride, target, k, columns, wide);
    } else {
      for (long start = 0; start < wide; start += panelWidth) {
        long lanes = least(panelWidth, columns - start);
        const float *corner = from + start * columnStride;
        float *to = target + start;
        if (lanes == panelWidth) {
          for (long row = rowStride == 1 ? turnColumns(corner, columnStride, to, k, wide, streamed) : 0; row < k; row++)
            for (long i = 0; i < panelWidth; i++) to[row * wide + i] = corner[row * rowStride + i * columnStride];
        } else {
          for (long row = 0; row < k; row++)
            for (long i = 0; i < panelWidth; i++)
              to[row * wide + i] = i < lanes ? corner[row * rowStride + i * columnStride] : 0;
        }
      }
    }
    target += k * wide;
  }
#ifdef X86
  if (streamed) _mm_sfence();
#endif
}

/* ---- approximations: the coefficients of recurra's WebAssembly backend ----------------------------------------------- */

static const float expm1Coefficients[] = {0.5, 0.16666667, 0.041666463, 0.008333286, 0.0013933732, 0.00019907703};
static const float logCoefficients[] = {0.3333331,   -0.24999987, 0.2000215,   -0.166692,  0.14219944,
                                        -0.12385769, 0.11865836,  -0.11779763, 0.069185115};
static const float sinCoefficients[] = {-0.16666667, 0.008333332, -0.00019840083, 2.7249378e-6};
static const float cosCoefficients[] = {0.041666668, -0.0013888888, 2.4800596e-5, -2.7300464e-7};
static const float log2E = 1.4426950408889634, twoByPi = 0.6366197723675814;
static const float ln2High = 0.693359375, ln2Low = -2.1219444005469057e-4;

/* ---- one pass per instruction set ---------------------------------------------------------------------------------- */

#ifdef X86
#define LANES 16
#define SET avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#include "native.c"
#undef LANES
#undef SET
#undef TARGET

#define LANES 8
#define SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "native.c"
#undef LANES
#undef SET
#undef TARGET
#endif

#ifdef ARM
#define LANES 4
#define SET neon
#define TARGET
#define NEON 1
#include "native.c"
#undef NEON
#undef LANES
#undef SET
#undef TARGET
#endif

#define LANES 4
#define SET portable
#define TARGET
#include "native.c"
#undef LANES
#undef SET
#undef TARGET

/* ---- choice -------------------------------------------------------------------------------------------------------- */

typedef struct {
  const Kernels *kernels;
  int runs;
} Choice;

static Choice choices[4];
static int choiceCount;

static void findChoices(void) {
  if (choiceCount > 0) return;
  int count = 0;
#ifdef X86
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  choices[count++] = (Choice){&kernels_avx512, avx512};
  choices[count++] = (Choice){&kernels_avx2, avx2};
#endif
#ifdef ARM
  choices[count++] = (Choice){&kernels_neon, 1};
#endif
  choices[count++] = (Choice){&kernels_portable, 1};
  for (int i = count - 1; i >= 0; i--)
    if (choices[i].runs) active = choices[i].kernels;
  choiceCount = count;
}

#include "loops.h"
#include "blocks.h"
#include "steps.h"

/* Floats of a block of sumShards: those of all shards stay in the first-level cache. */
enum { sumBlock = 1024 };

/* Elements first … end − 1 of all shards, `stride` apart, added up in the first one: in a tree of fixed shape, shards being a power of
 * two. The bits are those of the WebAssembly kernel of this name. */
static void addShards(float *base, int64_t stride, int64_t first, int64_t end, int64_t shards) {
  for (int64_t at = first; at < end; at += sumBlock) {
    const int64_t count = end - at < sumBlock ? end - at : sumBlock;
    for (int64_t pairs = shards >> 1, between = stride; pairs > 0; pairs >>= 1, between <<= 1)
      for (int64_t pair = 0; pair < pairs; pair++) {
        float *to = base + at + 2 * pair * between;
        const float *from = to + between;
        for (int64_t i = 0; i < count; i++) to[i] += from[i];
      }
  }
}

/* ---- Node-API ------------------------------------------------------------------------------------------------------ */

/* What the functions bound to one memory share. It lives until the last of them is collected. */
typedef struct {
  char *base;
  uint64_t bytes;
  napi_ref buffer; /* keeps the memory alive */
  float *packedA;
  float *scratch; /* of loops */
  Loop **loops; /* by handle; NULL where that of steps is */
  Steps **steps;
  int loopCount, loopLimit, slotLimit;
#ifdef COMPILES
  Pages *pages; /* the code of the first `sealed` loops */
  int sealed;
#endif
  int users;
} Binding;

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

/* Of one function; of a call of loops: those that say which, and sizes, bases, the first row and steps. */
enum { mostArguments = 16, sumsOfPair = 2, mostOwn = 7, mostOfLoops = mostAxes + mostBases + 1 + mostSteps };

static Binding *arguments(napi_env env, napi_callback_info info, int wanted, int32_t *into) {
  napi_value given[mostArguments];
  size_t count = mostArguments;
  void *data;
  napi_get_cb_info(env, info, &count, given, NULL, &data);
  for (int i = 0; i < wanted; i++) {
    if (i >= (int)count || napi_get_value_int32(env, given[i], &into[i]) != napi_ok) {
      fail(env, "@recurra/native: a whole number is missing");
      return NULL;
    }
  }
  return data;
}

/* The address of a matrix, or NULL and an error when it does not lie within the memory. */
static float *matrix(napi_env env, Binding *binding, int32_t address, int64_t rows, int64_t rowStride, int64_t columns,
                     int64_t columnStride) {
  uint32_t at = (uint32_t)address;
  int64_t last = rows > 0 && columns > 0 ? (rows - 1) * rowStride + (columns - 1) * columnStride + 1 : 0;
  if (rowStride < 0 || columnStride < 0 || (at & 3) != 0 || at + (uint64_t)last * 4 > binding->bytes) {
    fail(env, "@recurra/native: an address lies outside the memory (after growing it, call rebind)");
    return NULL;
  }
  return (float *)(binding->base + at);
}

static napi_value callPack(napi_env env, napi_callback_info info) {
  int32_t v[6];
  Binding *binding = arguments(env, info, 6, v);
  if (binding == NULL) return NULL;
  int64_t k = v[4], n = v[5];
  float *source = matrix(env, binding, v[0], k, v[1], n, v[2]);
  if (source == NULL) return NULL;
  float *target = matrix(env, binding, v[3], k, roundUp(n, panelWidth), roundUp(n, panelWidth), 1);
  if (target != NULL) packPanels(source, v[1], v[2], target, k, n, active->width);
  return NULL;
}

static napi_value callGemm(napi_env env, napi_callback_info info) {
  int32_t v[9];
  Binding *binding = arguments(env, info, 9, v);
  if (binding == NULL) return NULL;
  int64_t m = v[5], n = v[6], k = v[7];
  if (m <= 0 || n <= 0) return NULL;
  float *a = matrix(env, binding, v[0], m, v[1], k, 1);
  if (a == NULL) return NULL;
  float *packed = matrix(env, binding, v[2], k, roundUp(n, panelWidth), roundUp(n, panelWidth), 1);
  if (packed == NULL) return NULL;
  float *c = matrix(env, binding, v[3], m, v[4], n, 1);
  if (c != NULL) active->gemm(a, v[1], packed, c, v[4], m, n, k, v[8], ONE_BLOCK);
  return NULL;
}

/* sumShards(base, stride, first, end, shards): the stride in bytes. */
static napi_value callSumShards(napi_env env, napi_callback_info info) {
  int32_t v[5];
  Binding *binding = arguments(env, info, 5, v);
  if (binding == NULL) return NULL;
  const int64_t stride = (uint32_t)v[1] / sizeof(float), first = v[2], end = v[3], shards = v[4];
  if (first < 0 || shards < 0) return fail(env, "@recurra/native: shards begin at an element of theirs");
  float *base = matrix(env, binding, v[0], shards, stride, end, 1);
  if (base != NULL) addShards(base, stride, first, end, shards);
  return NULL;
}

/* turnIn(source, from, target, outer, inner, features): numbers [outer, inner, features] of a Float32Array, from its element `from`
 * on, into the memory as [inner, outer, features]. */
static napi_value callTurnIn(napi_env env, napi_callback_info info) {
  napi_value given[6];
  size_t count = 6, length;
  int32_t v[5] = {0};
  void *bound, *data;
  napi_typedarray_type type;
  napi_get_cb_info(env, info, &count, given, NULL, &bound);
  Binding *binding = bound;
  if (count < 6 || napi_get_typedarray_info(env, given[0], &type, &length, &data, NULL, NULL) != napi_ok || type != napi_float32_array)
    return fail(env, "@recurra/native: turnIn takes a Float32Array");
  for (int i = 0; i < 5; i++) napi_get_value_int32(env, given[i + 1], &v[i]);
  const int64_t outer = v[2], inner = v[3], features = v[4];
  if (outer < 0 || inner < 0 || features < 0 || v[0] < 0 || v[0] + outer * inner * features > (int64_t)length)
    return fail(env, "@recurra/native: turnIn reads past the end of its source");
  float *target = matrix(env, binding, v[1], inner, outer * features, outer * features, 1);
  if (target == NULL) return NULL;
  const float *from = (const float *)data + v[0];
  if (features == 1) {
    for (int64_t i = 0; i < outer; i++)
      for (int64_t j = 0; j < inner; j++) target[j * outer + i] = *from++;
    return NULL;
  }
  for (int64_t i = 0; i < outer; i++)
    for (int64_t j = 0; j < inner; j++, from += features)
      memcpy(target + (j * outer + i) * features, from, features * sizeof(float));
  return NULL;
}

/* Sums over so many rows of A, each given as b, bRow, c, cRow, n, scratch. */
static napi_value sumOuters(napi_env env, Binding *binding, int32_t address, int32_t aRow, int64_t m, int64_t rows,
                            const int32_t (*given)[6], int count) {
  Sum sums[sumsOfPair];
  int found = 0;
  if (m <= 0) return NULL;
  float *a = matrix(env, binding, address, rows, aRow, m, 1);
  if (a == NULL) return NULL;
  for (int i = 0; i < count; i++) {
    const int32_t *v = given[i];
    const int64_t n = v[4], wide = roundUp(n, panelWidth);
    if (n <= 0) continue;
    Sum *sum = &sums[found++];
    *sum = (Sum){.bRow = v[1], .cRow = v[3], .n = n};
    if ((sum->b = matrix(env, binding, v[0], rows, v[1], n, 1)) == NULL) return NULL;
    if ((sum->c = matrix(env, binding, v[2], m, v[3], n, 1)) == NULL) return NULL;
    if ((sum->packed = matrix(env, binding, v[5], outerBlock, wide, wide, 1)) == NULL) return NULL;
  }
  if (binding->packedA == NULL) binding->packedA = aligned_alloc(64, packedALimit * sizeof(float));
  if (binding->packedA == NULL) return fail(env, "@recurra/native: out of memory");
  active->outer(a, aRow, m, rows, sums, found, binding->packedA);
  return NULL;
}

/* outer(a, aRow, b, bRow, c, cRow, m, n, rows, scratch) */
static napi_value callOuter(napi_env env, napi_callback_info info) {
  int32_t v[10];
  Binding *binding = arguments(env, info, 10, v);
  if (binding == NULL) return NULL;
  const int32_t sum[1][6] = {{v[2], v[3], v[4], v[5], v[7], v[9]}};
  return sumOuters(env, binding, v[0], v[1], v[6], v[8], sum, 1);
}

/* outerPair(a, aRow, m, rows, then for each of two sums b, bRow, c, cRow, n, scratch) */
static napi_value callOuterPair(napi_env env, napi_callback_info info) {
  int32_t v[4 + 6 * sumsOfPair];
  Binding *binding = arguments(env, info, 4 + 6 * sumsOfPair, v);
  if (binding == NULL) return NULL;
  return sumOuters(env, binding, v[0], v[1], v[2], v[3], (const int32_t (*)[6])(v + 4), sumsOfPair);
}

static void clearLoops(Binding *binding) {
  for (int i = 0; i < binding->loopCount; i++) {
    freeLoop(binding->loops[i]);
    freeSteps(binding->steps[i]);
  }
  free(binding->loops);
  free(binding->steps);
  free(binding->scratch);
#ifdef COMPILES
  freePages(binding->pages);
  binding->pages = NULL;
  binding->sealed = 0;
#endif
  binding->loops = NULL;
  binding->steps = NULL;
  binding->scratch = NULL;
  binding->loopCount = binding->loopLimit = binding->slotLimit = 0;
}

static napi_value callClearLoops(napi_env env, napi_callback_info info) {
  clearLoops(arguments(env, info, 0, NULL));
  return NULL;
}

/* Room for another handle: whether there is any. */
static int growHandles(Binding *binding) {
  if (binding->loopCount < binding->loopLimit) return 1;
  const int limit = 2 * binding->loopLimit + 16;
  Loop **loops = realloc(binding->loops, limit * sizeof *loops);
  if (loops != NULL) binding->loops = loops;
  Steps **steps = realloc(binding->steps, limit * sizeof *steps);
  if (steps != NULL) binding->steps = steps;
  if (loops == NULL || steps == NULL) return 0;
  binding->loopLimit = limit;
  return 1;
}

/* Scratch for the values of a loop: whether there is any. */
static int growScratch(Binding *binding, int slots) {
  if (slots <= binding->slotLimit) return 1;
  float *grown = aligned_alloc(64, (size_t)slots * tileLimit * sizeof(float));
  if (grown == NULL) return 0;
  free(binding->scratch);
  binding->scratch = grown;
  binding->slotLimit = slots;
  return 1;
}

/* define(Int32Array), a loop or steps → handle: 0, 1, 2, … since the last clearLoops. */
static napi_value callDefine(napi_env env, napi_callback_info info) {
  napi_value given, result;
  size_t count = 1, length;
  void *bound, *words;
  napi_typedarray_type type;
  napi_get_cb_info(env, info, &count, &given, NULL, &bound);
  Binding *binding = bound;
  if (napi_get_typedarray_info(env, given, &type, &length, &words, NULL, NULL) != napi_ok || type != napi_int32_array)
    return fail(env, "@recurra/native: a program is an Int32Array");
  if (!growHandles(binding)) return fail(env, "@recurra/native: out of memory");
  Loop *loop = readLoop(words, length);
  Steps *steps = loop == NULL ? readSteps(words, length, binding->loops, binding->loopCount) : NULL;
  if (loop == NULL && steps == NULL) return fail(env, "@recurra/native: not a program of a loop or of steps");
  if (loop != NULL && !growScratch(binding, loop->slots)) {
    freeLoop(loop);
    return fail(env, "@recurra/native: out of memory");
  }
  binding->loops[binding->loopCount] = loop;
  binding->steps[binding->loopCount] = steps;
  napi_create_int32(env, binding->loopCount++, &result);
  return result;
}

/* Before a loop runs: all that were defined since the last time get their pages together. */
static void sealLoops(Binding *binding) {
#ifdef COMPILES
  if (binding->sealed == binding->loopCount) return;
  seal(binding->loops + binding->sealed, binding->loopCount - binding->sealed, &binding->pages);
  binding->sealed = binding->loopCount;
#else
  (void)binding;
#endif
}

static const char noSuchLoop[] = "@recurra/native: no such loop", argumentsMissing[] = "@recurra/native: a loop lacks arguments";

/* isCompiled(handle): whether the loop runs as machine code. */
static napi_value callIsCompiled(napi_env env, napi_callback_info info) {
  int32_t handle;
  napi_value result;
  Binding *binding = arguments(env, info, 1, &handle);
  if (binding == NULL) return NULL;
  if (handle < 0 || handle >= binding->loopCount || binding->loops[handle] == NULL) return fail(env, noSuchLoop);
  sealLoops(binding);
  napi_get_boolean(env, binding->loops[handle]->code != NULL, &result);
  return result;
}

/* Whole numbers that loops are run with: some of the function's own, then those that `runLoop` reads. */
typedef struct {
  Binding *binding;
  int32_t own[mostOwn], loops[mostOfLoops];
  int count; /* of `loops` */
} LoopCall;

static LoopCall loopCall(napi_env env, napi_callback_info info, int own) {
  LoopCall call;
  napi_value given[mostOwn + mostOfLoops];
  size_t count = own + mostOfLoops;
  void *bound;
  napi_get_cb_info(env, info, &count, given, NULL, &bound);
  call.binding = bound;
  call.count = (int)least(count, own + mostOfLoops) - own;
  for (int i = 0; i < own; i++)
    if (napi_get_value_int32(env, given[i], &call.own[i]) != napi_ok) call.own[i] = -1;
  for (int i = 0; i < call.count; i++) napi_get_value_int32(env, given[own + i], &call.loops[i]);
  return call;
}

/* What a call gives a program with so many axes and bases. */
static Run runOf(const LoopCall *call, int axes, int bases) {
  const Binding *binding = call->binding;
  const int32_t *given = call->loops + axes, *firstRow = given + bases;
  return (Run){binding->base, binding->bytes, binding->scratch, given, firstRow + 1, *firstRow};
}

/* Runs loops of these handles one after the other, the part of each. */
static void runAll(napi_env env, const LoopCall *call, int32_t handle, int32_t count, Part part) {
  Binding *binding = call->binding;
  const char *problem = NULL;
  if (handle < 0 || count < 0 || handle + (int64_t)count > binding->loopCount) problem = noSuchLoop;
  else sealLoops(binding);
  for (int i = 0; i < count && problem == NULL; i++) {
    Loop *loop = binding->loops[handle + i];
    if (loop == NULL) problem = noSuchLoop;
    else if (call->count < loop->axes + loop->bases + 1 + loop->steps) problem = argumentsMissing;
    else {
      const Run run = runOf(call, loop->axes, loop->bases);
      if (part.count < 0) i += runSome(binding->loops + handle + i, count - i, &run, call->loops, &problem) - 1;
      else problem = runLoop(loop, &run, call->loops, part);
    }
  }
  if (problem != NULL) fail(env, problem);
}

/*
 * runSteps(handle, count, direction, shards, arena's and shard's bytes and rows to the next one, size of each axis …, bases …, first row,
 * each step …): of a scan, from these steps on.
 */
static napi_value callRunSteps(napi_env env, napi_callback_info info) {
  const LoopCall call = loopCall(env, info, 7);
  Binding *binding = call.binding;
  const int32_t handle = call.own[0];
  Steps *steps = handle >= 0 && handle < binding->loopCount ? binding->steps[handle] : NULL;
  if (steps == NULL) return fail(env, "@recurra/native: no such steps");
  if (call.count < steps->axes + steps->bases + 1 + steps->steps) return fail(env, argumentsMissing);
  sealLoops(binding);
  const Run run = runOf(&call, steps->axes, steps->bases);
  const Abreast abreast = {call.own[3], {call.own[4], call.own[5]}, call.own[6]};
  const char *problem = runSteps(steps, &run, call.loops, call.own[1], call.own[2], &abreast);
  if (problem != NULL) fail(env, problem);
  return NULL;
}

/* runLoops(first handle, count, size of each axis …, bases …, first row, each enclosing step …): loops one after the other. */
static napi_value callRunLoops(napi_env env, napi_callback_info info) {
  const LoopCall call = loopCall(env, info, 2);
  runAll(env, &call, call.own[0], call.own[1], (Part){0, -1});
  return NULL;
}

/* runPart(handle, first, count, … as runLoops): so many positions of the outermost dimension of a loop. */
static napi_value callRunPart(napi_env env, napi_callback_info info) {
  const LoopCall call = loopCall(env, info, 3);
  if (call.own[2] < 0) return fail(env, "@recurra/native: a part reaches behind its loop");
  runAll(env, &call, call.own[0], 1, (Part){call.own[1], call.own[2]});
  return NULL;
}

/*
 * Asks for pages of 2 MiB: the rows of a wide matrix lie each on a page of their own otherwise. Only whole ones within the memory,
 * and only advice: where the system refuses, nothing changes. Not for a memory whose pages of 4 KiB the processor's tables hold all of:
 * it gains nothing, and a virtual machine may take milliseconds to find a large page.
 */
static void askForLargePages(char *base, uint64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes < (uint64_t)8 << 20) return;
  const uintptr_t page = 1 << 21, start = ((uintptr_t)base + page - 1) / page * page, end = ((uintptr_t)base + bytes) / page * page;
  if (end > start) madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
  (void)base;
  (void)bytes;
#endif
}

static int point(napi_env env, Binding *binding, napi_value view) {
  napi_typedarray_type type;
  size_t length;
  void *data;
  napi_ref reference;
  if (napi_get_typedarray_info(env, view, &type, &length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array ||
      napi_create_reference(env, view, 1, &reference) != napi_ok) {
    fail(env, "@recurra/native: bind takes a Uint8Array over a whole memory");
    return 0;
  }
  if (binding->buffer != NULL) napi_delete_reference(env, binding->buffer);
  binding->buffer = reference;
  binding->base = data;
  binding->bytes = length;
  askForLargePages(data, length);
  return 1;
}

static napi_value callRebind(napi_env env, napi_callback_info info) {
  napi_value view;
  size_t count = 1;
  void *binding;
  napi_get_cb_info(env, info, &count, &view, NULL, &binding);
  point(env, binding, view);
  return NULL;
}

static void release(napi_env env, void *data, void *hint) {
  (void)hint;
  Binding *binding = data;
  if (--binding->users > 0) return;
  if (binding->buffer != NULL) napi_delete_reference(env, binding->buffer);
  free(binding->packedA);
  clearLoops(binding);
  free(binding);
}

static napi_value callBind(napi_env env, napi_callback_info info) {
  static const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"pack", callPack},
      {"gemm", callGemm},
      {"outer", callOuter},
      {"outerPair", callOuterPair},
      {"sumShards", callSumShards},
      {"turnIn", callTurnIn},
      {"rebind", callRebind},
      {"define", callDefine},
      {"runLoops", callRunLoops},
      {"runPart", callRunPart},
      {"runSteps", callRunSteps},
      {"isCompiled", callIsCompiled},
      {"clearLoops", callClearLoops},
  };
  napi_value view, result;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &view, NULL, NULL);
  Binding *binding = calloc(1, sizeof *binding);
  if (binding == NULL) return fail(env, "@recurra/native: out of memory");
  if (!point(env, binding, view)) {
    free(binding);
    return NULL;
  }
  napi_create_object(env, &result);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, binding, &function);
    binding->users++;
    napi_add_finalizer(env, function, binding, release, NULL, NULL);
    napi_set_named_property(env, result, functions[i].name, function);
  }
  return result;
}

static napi_value text(napi_env env, const char *value) {
  napi_value result;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

static napi_value number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

/* select(name): the instruction set that all bindings of the process use from now on. Packed matrices must be packed again. */
static napi_value callSelect(napi_env env, napi_callback_info info) {
  napi_value given;
  size_t count = 1, length;
  char name[16];
  napi_get_cb_info(env, info, &count, &given, NULL, NULL);
  if (napi_get_value_string_utf8(env, given, name, sizeof name, &length) == napi_ok)
    for (int i = 0; i < choiceCount; i++)
      if (choices[i].runs && strcmp(choices[i].kernels->name, name) == 0) {
        active = choices[i].kernels;
        return NULL;
      }
  return fail(env, "@recurra/native: this processor does not have that instruction set");
}

static napi_value callSelected(napi_env env, napi_callback_info info) {
  (void)info;
  return text(env, active->name);
}

/* compileLoops(whether): loops defined from now on become machine code where they can, as they do at first, or are interpreted. */
static napi_value callCompileLoops(napi_env env, napi_callback_info info) {
  napi_value given;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &given, NULL, NULL);
  bool wanted;
  if (napi_get_value_bool(env, given, &wanted) != napi_ok) return fail(env, "@recurra/native: compileLoops takes a boolean");
  compilesWhereItCan = wanted;
  return NULL;
}

/* compilesLoops(): whether loops that are defined now become machine code. */
static napi_value callCompilesLoops(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value result;
  napi_get_boolean(env, compiles(), &result);
  return result;
}

/* lanes(): floats in a vector of the instruction set that runs. */
static napi_value callLanes(napi_env env, napi_callback_info info) {
  (void)info;
  return number(env, active->lanes);
}

/* peak(iterations): floating-point operations done in registers, to be timed by the caller. */
static napi_value callPeak(napi_env env, napi_callback_info info) {
  int32_t iterations;
  napi_value given;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &given, NULL, NULL);
  if (napi_get_value_int32(env, given, &iterations) != napi_ok) return fail(env, "@recurra/native: peak takes a count");
  volatile float escape = active->peak(iterations);
  (void)escape;
  return number(env, active->peakFlops * iterations);
}

NAPI_MODULE_INIT() {
  findChoices();
  static const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"bind", callBind},     {"select", callSelect},       {"selected", callSelected},
      {"peak", callPeak},     {"lanes", callLanes},
      {"compileLoops", callCompileLoops}, {"compilesLoops", callCompilesLoops},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  napi_value sets;
  napi_create_array(env, &sets);
  uint32_t found = 0;
  for (int i = 0; i < choiceCount; i++)
    if (choices[i].runs) napi_set_element(env, sets, found++, text(env, choices[i].kernels->name));
  napi_set_named_property(env, exports, "instructionSets", sets);
  napi_set_named_property(env, exports, "panelWidth", number(env, panelWidth));
  napi_set_named_property(env, exports, "outerBlock", number(env, outerBlock));
  return exports;
}

#else /* LANES: once for each instruction set */

#define FN(name) JOIN(name, SET)
#define VF FN(Vector)

#if LANES == 16
typedef __m512 VF;
#define PANEL 64
#define TALL 6 /* rows of a tile over a full panel */
#define BESIDE 2 /* panels that a single row takes at once */
#define KC 384
#define MC 240
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ABREAST 4 /* vectors of an elementary function, step by step: one chain of operations alone waits for itself */
#define KEEP(x) __asm__("" : "+v"(x))
#elif LANES == 8
typedef __m256 VF;
#define PANEL 16
#define TALL 6
#define BESIDE 4
#define KC 384
#define MC 240
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ABREAST 2
#define KEEP(x) __asm__("" : "+x"(x))
#elif defined(NEON)
typedef float32x4_t VF;
#define PANEL 16
#define TALL 6
#define BESIDE 2
#define KC 256
#define MC 240
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define ABREAST 4
#define KEEP(x) __asm__("" : "+w"(x))
#else
typedef float VF __attribute__((vector_size(16)));
#define PANEL 16
#define TALL 3
#define BESIDE 1
#define KC 256
#define MC 240
#define FMA(a, b, c) ((c) + (a) * (b))
#define ABREAST 1
#define KEEP(x) (void)(x)
#endif
#define WIDE (PANEL / LANES) /* vectors of a full panel */

ALWAYS TARGET VF FN(load)(const float *p) {
  VF v;
  memcpy(&v, p, sizeof v);
  return v;
}
ALWAYS TARGET void FN(store)(float *p, VF v) { memcpy(p, &v, sizeof v); }
ALWAYS TARGET VF FN(splat)(float x) {
#if LANES == 16
  return _mm512_set1_ps(x);
#elif LANES == 8
  return _mm256_set1_ps(x);
#else
  return (VF){x, x, x, x};
#endif
}
/* The first `count` lanes, 1 … LANES − 1; the others are 0. */
ALWAYS TARGET VF FN(loadSome)(const float *p, long count) {
#if LANES == 16
  return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#else
  float lanes[LANES] = {0};
  for (long i = 0; i < count; i++) lanes[i] = p[i];
  return FN(load)(lanes);
#endif
}
ALWAYS TARGET void FN(storeSome)(float *p, VF v, long count) {
#if LANES == 16
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), v);
#else
  float lanes[LANES];
  FN(store)(lanes, v);
  for (long i = 0; i < count; i++) p[i] = lanes[i];
#endif
}

/*
 * A tile of C: R rows × V vectors in registers over k steps. The vectors may come from panels side by side, `beside` floats
 * apart. `columns` of the last vectors count; b's rows are `bRow` apart.
 */
#define TILE_ARGUMENTS                                                                                                 \
  const float *restrict a, long aRow, long aColumn, const float *restrict b, long bRow, long beside, float *restrict c, \
      long cRow, long columns, long k, int accumulate, const float *next, long nextRow
#define TILE_VALUES a, aRow, aColumn, b, bRow, beside, c, cRow, columns, k, accumulate, next, nextRow

typedef void (*FN(Tile))(TILE_ARGUMENTS);

/* Meanwhile it asks for `lines` lines of each of k rows, `nextRow` apart, that will be read after it. */
ALWAYS TARGET void FN(tile)(const int R, const int V, const int lines, TILE_ARGUMENTS) {
  VF sum[12][8];
  const long rest = columns - (V - 1) * LANES;
  const int whole = rest >= LANES;
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) {
    const float *from = c + r * cRow + v * LANES;
    if (!accumulate) sum[r][v] = FN(splat)(0);
    else if (v < V - 1 || whole) sum[r][v] = FN(load)(from);
    else sum[r][v] = FN(loadSome)(from, rest);
  }
  for (long i = 0; i < k; i++) {
    VF bs[8];
    UNROLL for (int line = 0; line < lines; line++) __builtin_prefetch(next + line * lineSize);
    UNROLL for (int v = 0; v < V; v++) bs[v] = FN(load)(b + (v / WIDE) * beside + (v % WIDE) * LANES);
    UNROLL for (int r = 0; r < R; r++) {
      VF as = FN(splat)(a[r * aRow]);
      UNROLL for (int v = 0; v < V; v++) sum[r][v] = FMA(as, bs[v], sum[r][v]);
    }
    a += aColumn;
    b += bRow;
    if (lines > 0) next += nextRow;
  }
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) {
    float *to = c + r * cRow + v * LANES;
    if (v < V - 1 || whole) FN(store)(to, sum[r][v]);
    else FN(storeSome)(to, sum[r][v], rest);
  }
}

#define DEFINE_TILE(R, V) \
  static TARGET void FN(tile##R##x##V)(TILE_ARGUMENTS) { FN(tile)(R, V, 0, TILE_VALUES); }
#define DEFINE_TILES(V) \
  DEFINE_TILE(1, V) DEFINE_TILE(2, V) DEFINE_TILE(3, V) DEFINE_TILE(4, V) DEFINE_TILE(5, V) DEFINE_TILE(6, V)
#define TILES(V) FN(tile1x##V), FN(tile2x##V), FN(tile3x##V), FN(tile4x##V), FN(tile5x##V), FN(tile6x##V)
DEFINE_TILES(1)
DEFINE_TILES(2)
#if WIDE == 4
DEFINE_TILES(3)
DEFINE_TILES(4)
#endif
#if LANES == 16 || defined(NEON)
DEFINE_TILE(7, 1) DEFINE_TILE(8, 1) DEFINE_TILE(9, 1) DEFINE_TILE(10, 1) DEFINE_TILE(11, 1) DEFINE_TILE(12, 1)
DEFINE_TILE(7, 2) DEFINE_TILE(8, 2) DEFINE_TILE(9, 2) DEFINE_TILE(10, 2) DEFINE_TILE(11, 2) DEFINE_TILE(12, 2)
DEFINE_TILE(7, 3) DEFINE_TILE(8, 3)
#endif
#if BESIDE > 1
DEFINE_TILE(1, 8)
#endif

/* By vectors − 1 and rows − 1, and the most rows for each number of vectors. */
static const FN(Tile) FN(tiles)[WIDE][12] = {
#if LANES == 16 || defined(NEON)
#define MORE(V) FN(tile7x##V), FN(tile8x##V), FN(tile9x##V), FN(tile10x##V), FN(tile11x##V), FN(tile12x##V)
    {TILES(1), MORE(1)},
    {TILES(2), MORE(2)},
    {TILES(3), FN(tile7x3), FN(tile8x3)},
    {TILES(4)},
#undef MORE
#else
    {TILES(1)},
    {TILES(2)},
#if WIDE == 4
    {TILES(3)},
    {TILES(4)},
#endif
#endif
};
#if LANES == 16 || defined(NEON)
static const int FN(tallest)[WIDE] = {12, 12, 8, TALL};
#elif WIDE == 4
static const int FN(tallest)[WIDE] = {6, 6, 3, TALL};
#else
static const int FN(tallest)[WIDE] = {6, TALL};
#endif

/* Full panels that ask for the next one, by the lines of a row they ask for: 1, 2, or all four of a wide panel. */
#define DEFINE_ASKING(R, lines) \
  static TARGET void FN(asking##R##For##lines)(TILE_ARGUMENTS) { FN(tile)(R, WIDE, lines, TILE_VALUES); }
#define DEFINE_ASKINGS(lines)                                                                                    \
  DEFINE_ASKING(1, lines) DEFINE_ASKING(2, lines) DEFINE_ASKING(3, lines) DEFINE_ASKING(4, lines) DEFINE_ASKING(5, lines) \
  DEFINE_ASKING(6, lines)                                                                                             \
  static const FN(Tile) FN(askingFor##lines)[6] = {FN(asking1For##lines), FN(asking2For##lines), FN(asking3For##lines), \
                                                   FN(asking4For##lines), FN(asking5For##lines), FN(asking6For##lines)};
enum { FN(linesOfPanel) = PANEL / lineSize };
DEFINE_ASKINGS(1)
#if PANEL > 16
DEFINE_ASKINGS(2)
DEFINE_ASKINGS(4)
#endif

/*
 * Tile `i` of `count` of a panel. All of them together ask for the next panel, each for its share of every row: so the lines arrive
 * while there is work that does not wait for them. `next` is NULL where what comes next lies near.
 */
ALWAYS TARGET void FN(runTile)(long i, long count, long rows, const int v, TILE_ARGUMENTS) {
  if (next == NULL || v < WIDE - 1) {
    FN(tiles)[v][rows - 1](TILE_VALUES);
    return;
  }
  const long first = FN(linesOfPanel) * i / count, lines = FN(linesOfPanel) * (i + 1) / count - first;
  const FN(Tile) *tiles = FN(tiles)[WIDE - 1];
  if (lines == 1) tiles = FN(askingFor1);
#if PANEL > 16
  else if (lines == 2) tiles = FN(askingFor2);
  else if (lines == 4) tiles = FN(askingFor4);
#endif
  /* A panel in one piece is asked for from its beginning to its end, whatever its rows are. */
  next += nextRow == 0 ? first * lineSize * k : first * lineSize;
  if (nextRow == 0) nextRow = lines * lineSize;
  tiles[rows - 1](TILE_VALUES);
}

/*
 * Asks for the lines of a tile of C before it is computed: stores that miss the cache would hold up the tiles behind them. What is
 * accumulated is read first, so there the lines of the tile below are asked for.
 */
ALWAYS TARGET void FN(askForTile)(const float *c, long cRow, long rows, long columns, int accumulate) {
  if (accumulate) c += rows * cRow;
  for (long row = 0; row < rows; row++)
    for (long column = 0; column < columns; column += LANES) __builtin_prefetch(c + row * cRow + column, 1);
}

/*
 * All rows of one panel, in tiles of nearly the same height: a last tile of one row would wait for its own sums. Of `blocks` of rows
 * that read the panel one behind the other this is number `block`.
 */
ALWAYS TARGET void FN(panel)(const float *a, long aRow, long aColumn, const float *b, long bRow, float *c, long cRow, long m,
                             long columns, long k, int accumulate, const float *next, int farC, long block, long blocks) {
  const int v = (int)((columns + LANES - 1) / LANES) - 1;
  const long count = (m + FN(tallest)[v] - 1) / FN(tallest)[v], low = m / count, higher = m % count;
  for (long i = 0; i < count; i++) {
    const long rows = low + (i < higher);
    if (farC) FN(askForTile)(c, cRow, rows, columns, accumulate);
    FN(runTile)(block * count + i, blocks * count, rows, v, a, aRow, aColumn, b, bRow, 0, c, cRow, columns, k, accumulate, next, 0);
    a += rows * aRow;
    c += rows * cRow;
  }
}

/* The same of rows of A that `packRows` has packed. */
ALWAYS TARGET void FN(packedPanel)(const float *a, const float *b, long bRow, float *c, long cRow, long m, long columns, long k,
                                   int accumulate, const float *next, long nextRow, int farC) {
  const int v = (int)((columns + LANES - 1) / LANES) - 1;
  const long count = (m + TALL - 1) / TALL, low = m / count, higher = m % count;
  for (long i = 0; i < count; i++) {
    const long rows = low + (i < higher);
    if (farC) FN(askForTile)(c, cRow, rows, columns, accumulate);
    FN(runTile)(i, count, rows, v, a, 1, rows, b, bRow, 0, c, cRow, columns, k, accumulate, next, nextRow);
    a += rows * k;
    c += rows * cRow;
  }
}

/* A single row. */
ALWAYS TARGET void FN(gemv)(const float *a, const float *packed, float *c, long n, long k, int accumulate) {
  long column = 0;
#if BESIDE > 1
  for (; column + BESIDE * PANEL <= n; column += BESIDE * PANEL)
    FN(tile1x8)(a, 0, 1, packed + column * k, PANEL, PANEL * k, c + column, 0, BESIDE * PANEL, k, accumulate, NULL, 0);
#endif
  for (; column < n; column += PANEL) {
    const long columns = least(PANEL, n - column);
    FN(panel)(a, 0, 1, packed + column * k, roundUp(columns, panelWidth), c + column, 0, 1, columns, k, accumulate, NULL, 0, 0, 1);
  }
}

static TARGET void FN(gemm)(const float *a, long aRow, const float *packed, float *c, long cRow, long m, long n, long k,
                            int accumulate, Blocks blocks) {
  if (k <= 0 || m == 1) {
    for (long i = 0; i < blocks.count; i++, a += blocks.aApart, c += blocks.cApart) {
      if (k > 0) FN(gemv)(a, packed, c, n, k, accumulate);
      else for (long row = 0; row < m && !accumulate; row++) memset(c + row * cRow, 0, n * sizeof(float));
    }
    return;
  }
  /* Blocks over k keep a panel in the first-level cache, blocks over m keep the rows of A in the second. */
  const long cuts = k <= KC + KC / 2 ? 1 : (k + KC - 1) / KC, step = (k + cuts - 1) / cuts;
  const int far = k * n >= sharedSize, farC = m * n > farSize;
  for (long start = 0; start < k; start += step) {
    const long depth = least(step, k - start);
    for (long row = 0; row < m; row += MC) {
      const long rows = least(MC, m - row);
      for (long column = 0; column < n; column += PANEL) {
        const long columns = least(PANEL, n - column), wide = roundUp(columns, panelWidth);
        const long after = column + PANEL < n ? column + PANEL : 0; /* behind the last panel, most likely the first again */
        const float *next = packed + after * k + start * roundUp(least(PANEL, n - after), panelWidth);
        for (long i = 0; i < blocks.count; i++)
          FN(panel)(a + i * blocks.aApart + row * aRow + start, aRow, 1, packed + column * k + start * wide, wide,
                    c + i * blocks.cApart + row * cRow + column, cRow, rows, columns, depth, accumulate || start > 0, far ? next : NULL,
                    farC, i, blocks.count);
      }
    }
  }
}

ALWAYS TARGET void FN(copySix)(float *to, const float *from) {
#if LANES == 16
  _mm256_mask_storeu_ps(to, 0x3f, _mm256_maskz_loadu_ps(0x3f, from));
#else
  memcpy(to, from, 6 * sizeof(float));
#endif
}

/* Packs rows of A so that each tile of `packedPanel` reads them in one stream: [tile][k][row of the tile]. */
static TARGET void FN(packRows)(const float *a, long aRow, float *target, long m, long k, int far) {
  const long count = (m + TALL - 1) / TALL, low = m / count, higher = m % count;
  /* A few steps of k at a time: their lines of A stay in the first-level cache whatever the stride. */
  for (long start = 0; start < k; start += 16) {
    const long end = least(k, start + 16);
    /* The rows behind these: no hardware foresees steps of a whole row. */
    for (long r = end; far && r < least(k, end + 16); r++)
      for (long i = 0; i < m; i += 16) __builtin_prefetch(a + i + r * aRow);
    const float *from = a;
    float *to = target;
    for (long i = 0; i < count; i++) {
      const long rows = low + (i < higher);
      if (rows == 6)
        for (long r = start; r < end; r++) FN(copySix)(to + r * 6, from + r * aRow);
      else
        for (long r = start; r < end; r++)
          for (long j = 0; j < rows; j++) to[r * rows + j] = from[r * aRow + j];
      to += rows * k;
      from += rows;
    }
  }
}

/* Columns of an operand of `outer` that are better read where they are than packed: more where a panel has several lines. */
enum { FN(few) = PANEL > lineSize ? 64 : 2 * TALL };

/*
 * `outer` of an operand with few columns, which are not packed: the vectors of a tile lie along the columns of the other one, `many`.
 * Where the few lie along the rows of C, a panel of Cᵀ, [few][PANEL], is put in its place when all rows are in it.
 */
static TARGET void FN(outerOfFew)(Columns few, Columns many, float *c, long cRow, long rows, int turns, float *panel, float *turned) {
  /* Where several tiles read rows that take each other's place in the caches, or no whole lines of them, they read a copy. */
  const int copied = few.count > 2 * TALL && (PANEL <= lineSize || many.row % collidingRow == 0);
  const int farC = !turns && few.count * many.count > farSize;
  for (long column = 0; column < many.count; column += PANEL) {
    const long columns = least(PANEL, many.count - column);
    const int packs = copied || columns < PANEL;
    for (long start = 0; start < rows; start += outerBlock) {
      const long depth = least(outerBlock, rows - start), wide = roundUp(columns, panelWidth);
      const float *from = many.at + start * many.row + column;
      if (packs) packRun(from, many.row, panel, depth, columns, wide);
      FN(panel)(few.at + start * few.row, 1, few.row, packs ? panel : from, packs ? wide : many.row, turns ? turned : c + column,
                turns ? PANEL : cRow, few.count, columns, depth, start > 0, NULL, farC, 0, 1);
    }
    if (turns) turn(turned, PANEL, c + column * cRow, cRow, few.count, columns);
  }
}

/* Whether rows of A are not packed for the sum. */
ALWAYS int FN(isOfFew)(const Sum *sum, long m) { return least(m, sum->n) <= FN(few); }

/* Panels of one sum, of `block` rows of C from `row` on, over `depth` packed rows of A. */
ALWAYS TARGET void FN(panelsOfSum)(const Sum *sum, const float *packedA, long m, long row, long block, long start, long depth) {
  const int farB = sum->n * depth >= sharedSize, farC = m * sum->n > farSize;
  for (long column = 0; column < sum->n; column += PANEL) {
    const long columns = least(PANEL, sum->n - column), wide = roundUp(columns, panelWidth);
    const float *from = sum->b + start * sum->bRow + column;
    float *packed = sum->packed + column * depth;
    if (row == 0) packRun(from, sum->bRow, packed, depth, columns, wide);
    const float *next = !farB || column + PANEL >= sum->n ? NULL : row == 0 ? from + PANEL : packed + PANEL * depth;
    FN(packedPanel)(packedA, packed, wide, sum->c + row * sum->cRow + column, sum->cRow, block, columns, depth, start > 0, next,
                    row == 0 ? sum->bRow : 0, farC);
  }
}

/* Sums of outer products with the same A, whose rows are packed once for all of them. */
static TARGET void FN(outer)(const float *a, long aRow, long m, long rows, const Sum *sums, int count, float *packedA) {
  int many = 0;
  for (int i = 0; i < count; i++) {
    const Sum *sum = &sums[i];
    const Columns as = {a, aRow, m}, bs = {sum->b, sum->bRow, sum->n};
    if (rows <= 0)
      for (long row = 0; row < m; row++) memset(sum->c + row * sum->cRow, 0, sum->n * sizeof(float));
    else if (!FN(isOfFew)(sum, m)) many++;
    else if (m < sum->n) FN(outerOfFew)(as, bs, sum->c, sum->cRow, rows, 0, packedA, NULL);
    else FN(outerOfFew)(bs, as, sum->c, sum->cRow, rows, 1, packedA, sum->packed);
  }
  if (many == 0) return;
  const long blocks = (rows + outerBlock - 1) / outerBlock, step = (rows + blocks - 1) / blocks;
  for (long start = 0; start < rows; start += step) {
    const long depth = least(step, rows - start);
    for (long row = 0; row < m; row += MC) {
      const long block = least(MC, m - row);
      FN(packRows)(a + start * aRow + row, aRow, packedA, block, depth, m * depth > farSize);
      for (int i = 0; i < count; i++)
        if (!FN(isOfFew)(&sums[i], m)) FN(panelsOfSum)(&sums[i], packedA, m, row, block, start, depth);
    }
  }
}

enum { FN(peakChains) = LANES == 16 || LANES == 4 ? 24 : 12 };

static TARGET float FN(peak)(long iterations) {
  VF sum[24];
  VF factor = FN(splat)(0.999f), term = FN(splat)(0.001f);
  UNROLL for (int i = 0; i < FN(peakChains); i++) sum[i] = FN(splat)((float)i);
  _Pragma("GCC unroll 1") for (long n = 0; n < iterations; n++) {
    __asm__ volatile("");
    UNROLL for (int i = 0; i < FN(peakChains); i++) sum[i] = FMA(sum[i], factor, term);
  }
  VF total = sum[0];
  UNROLL for (int i = 1; i < FN(peakChains); i++) total = total + sum[i];
  float lanes[LANES];
  FN(store)(lanes, total);
  return lanes[0];
}

/* ---- elementwise ---------------------------------------------------------------------------------------------------- */

typedef int32_t FN(Ints) __attribute__((vector_size(LANES * 4)));
typedef uint32_t FN(Unsigned) __attribute__((vector_size(LANES * 4)));
#define VI FN(Ints)
#define VU FN(Unsigned)

/*
 * LESS, EQUAL: masks, false for NaN. BLEND(mask, yes, no). ATLEAST, ATMOST: against a constant that is not 0, NaN stays NaN.
 * TOINT: of whole numbers in range.
 */
#if LANES == 16
#define MASK __mmask16
#define LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define EQUAL(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define BLEND(mask, yes, no) _mm512_mask_blend_ps(mask, no, yes)
#define ATLEAST(x, low) _mm512_max_ps(FN(splat)(low), x)
#define ATMOST(x, high) _mm512_min_ps(FN(splat)(high), x)
#define NEAREST(x) _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define FLOOR(x) _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define SQRT(x) _mm512_sqrt_ps(x)
#define TOINT(x) ((VI)_mm512_cvttps_epi32(x))
#define TOFLOAT(x) _mm512_cvtepi32_ps((__m512i)(x))
#elif LANES == 8
#define MASK __m256
#define LESS(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define EQUAL(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#define BLEND(mask, yes, no) _mm256_blendv_ps(no, yes, mask)
#define ATLEAST(x, low) _mm256_max_ps(FN(splat)(low), x)
#define ATMOST(x, high) _mm256_min_ps(FN(splat)(high), x)
#define NEAREST(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define FLOOR(x) _mm256_floor_ps(x)
#define SQRT(x) _mm256_sqrt_ps(x)
#define TOINT(x) ((VI)_mm256_cvttps_epi32(x))
#define TOFLOAT(x) _mm256_cvtepi32_ps((__m256i)(x))
#elif defined(NEON)
#define MASK uint32x4_t
#define LESS(a, b) vcltq_f32(a, b)
#define EQUAL(a, b) vceqq_f32(a, b)
#define BLEND(mask, yes, no) vbslq_f32(mask, yes, no)
#define ATLEAST(x, low) vmaxq_f32(x, FN(splat)(low))
#define ATMOST(x, high) vminq_f32(x, FN(splat)(high))
#define NEAREST(x) vrndnq_f32(x)
#define FLOOR(x) vrndmq_f32(x)
#define SQRT(x) vsqrtq_f32(x)
#define TOINT(x) ((VI)vcvtq_s32_f32(x))
#define TOFLOAT(x) vcvtq_f32_s32((int32x4_t)(x))
#else
#define MASK VI
#define LESS(a, b) ((VI)((a) < (b)))
#define EQUAL(a, b) ((VI)((a) == (b)))
#define BLEND(mask, yes, no) ((VF)(((mask) & (VI)(yes)) | (~(mask) & (VI)(no))))
#define ATLEAST(x, low) BLEND(LESS(x, FN(splat)(low)), FN(splat)(low), x)
#define ATMOST(x, high) BLEND(LESS(FN(splat)(high), x), FN(splat)(high), x)
#define EACH(f, x) ((VF){f((x)[0]), f((x)[1]), f((x)[2]), f((x)[3])})
#define NEAREST(x) EACH(__builtin_rintf, x)
#define FLOOR(x) EACH(__builtin_floorf, x)
#define SQRT(x) EACH(__builtin_sqrtf, x)
#define INRANGE(x) ((x) > -2147483648.0f && (x) < 2147483648.0f ? (int32_t)(x) : INT32_MIN)
#define TOINT(x) ((VI){INRANGE((x)[0]), INRANGE((x)[1]), INRANGE((x)[2]), INRANGE((x)[3])})
#define TOFLOAT(x) ((VF){(float)(x)[0], (float)(x)[1], (float)(x)[2], (float)(x)[3]})
#endif

ALWAYS TARGET VI FN(ints)(int32_t x) { return (VI)FN(splat)(0) + x; }

/* Towards 0; NaN gives 0, what is too large the largest. */
ALWAYS TARGET VI FN(toIntSaturated)(VF x) {
#ifdef NEON
  return TOINT(x);
#else
  /* x86 gives the smallest number for all that does not fit. */
  VI n = TOINT(x);
  n ^= (VI)BLEND(LESS(x, FN(splat)(2147483648.0f)), FN(splat)(0), (VF)FN(ints)(-1));
  return (VI)BLEND(EQUAL(x, x), (VF)n, FN(splat)(0));
#endif
}

ALWAYS TARGET VF FN(polynomial)(VF x, const int count, const float *lowestFirst) {
  VF sum = FN(splat)(lowestFirst[count - 1]);
  UNROLL for (int i = count - 2; i >= 0; i--) sum = sum * x + FN(splat)(lowestFirst[i]);
  return sum;
}

ALWAYS TARGET VF FN(powerOfTwo)(VI n) { return (VF)((n + 127) << 23); }

/* Of `count` vectors abreast: KEEP makes the compiler finish one step of all before the next. */
#define ABREAST_DO(...) UNROLL for (int v = 0; v < count; v++) __VA_ARGS__

/* eˣ − 1 = 2ⁿ (q + 1) − 1; q takes the place of x */
ALWAYS TARGET void FN(expm1Parts)(const int count, VF *x, VI *n) {
  VF sum[ABREAST];
  ABREAST_DO({
    VF rounded = NEAREST(x[v] * FN(splat)(log2E));
    n[v] = TOINT(rounded);
    x[v] = x[v] - rounded * FN(splat)(ln2High) - rounded * FN(splat)(ln2Low);
    KEEP(x[v]);
    sum[v] = FN(splat)(expm1Coefficients[5]);
  });
  UNROLL for (int i = 4; i >= 0; i--) ABREAST_DO({
    sum[v] = sum[v] * x[v] + FN(splat)(expm1Coefficients[i]);
    KEEP(sum[v]);
  });
  ABREAST_DO({ x[v] = sum[v] * x[v] * x[v] + x[v]; });
}

ALWAYS TARGET void FN(exp)(const int count, VF *x) {
  VI n[ABREAST];
  ABREAST_DO({ x[v] = ATMOST(ATLEAST(x[v], -105.0f), 89.0f); });
  FN(expm1Parts)(count, x, n);
  ABREAST_DO({
    VI half = n[v] >> 1;
    x[v] = FN(powerOfTwo)(half) * (x[v] + FN(splat)(1)) * FN(powerOfTwo)(n[v] - half);
  });
}

ALWAYS TARGET void FN(sigmoid)(const int count, VF *x) {
  VI n[ABREAST];
  ABREAST_DO({ x[v] = ATMOST(ATLEAST(-x[v], -87.0f), 88.0f); });
  FN(expm1Parts)(count, x, n);
  ABREAST_DO({
    x[v] = FN(powerOfTwo)(n[v]) * (x[v] + FN(splat)(1)) + FN(splat)(1);
    KEEP(x[v]);
  });
  ABREAST_DO({ x[v] = FN(splat)(1) / x[v]; });
}

ALWAYS TARGET void FN(tanh)(const int count, VF *x) {
  VI n[ABREAST];
  ABREAST_DO({ x[v] = ATMOST(ATLEAST(x[v] + x[v], -18.5f), 18.5f); });
  FN(expm1Parts)(count, x, n);
  ABREAST_DO({
    VF power = FN(powerOfTwo)(n[v]);
    x[v] = power * x[v] + (power - FN(splat)(1));
    KEEP(x[v]);
  });
  ABREAST_DO({ x[v] = x[v] / (x[v] + FN(splat)(2)); });
}

ALWAYS TARGET VF FN(log)(VF x) {
  VF zero = FN(splat)(0);
  MASK small = LESS(x, FN(splat)(1.17549435e-38f));
  VF scaled = BLEND(small, x * FN(splat)(33554432.0f), x);
  VI n = ((VI)scaled - 0x3f3504f3) >> 23;
  VF f = (VF)((VI)scaled - (n << 23)) - FN(splat)(1);
  VF exponent = TOFLOAT(n) - BLEND(small, FN(splat)(25), zero);
  VF z = f * f;
  VF y = FN(polynomial)(f, 9, logCoefficients) * f * z + exponent * FN(splat)(ln2Low) - z * FN(splat)(0.5f) + f +
         exponent * FN(splat)(ln2High);
  y = BLEND(EQUAL(x, zero), FN(splat)(-__builtin_inff()), y);
  y = BLEND(LESS(x, zero), FN(splat)(__builtin_nanf("")), y);
  y = BLEND(EQUAL(x, FN(splat)(__builtin_inff())), x, y);
  return BLEND(EQUAL(x, x), y, x);
}

ALWAYS TARGET VF FN(sinCos)(VF x, const int shift) {
  VF rounded = NEAREST(x * FN(splat)(twoByPi));
  VI quadrant = FN(toIntSaturated)(rounded) + shift;
  VF r = x - rounded * FN(splat)(1.5703125f) - rounded * FN(splat)(4.837512969970703e-4f) -
         rounded * FN(splat)(7.549789948768648e-8f);
  VF z = r * r;
  VF s = FN(polynomial)(z, 4, sinCoefficients) * z * r + r;
  VF c = FN(polynomial)(z, 4, cosCoefficients) * z * z - z * FN(splat)(0.5f) + FN(splat)(1);
  VI odd = -(quadrant & 1);
  return (VF)(((odd & (VI)c) | (~odd & (VI)s)) ^ ((quadrant & 2) << 30));
}

ALWAYS TARGET VF FN(sign)(VF x) {
  VF zero = FN(splat)(0);
  return BLEND(LESS(zero, x), FN(splat)(1), BLEND(LESS(x, zero), FN(splat)(-1), zero));
}

/* As WebAssembly has them: NaN wins, and −0 is less than +0. */
ALWAYS TARGET VF FN(max)(VF a, VF b) {
  VF equal = BLEND(EQUAL(a, b), (VF)((VI)a & (VI)b), a + b);
  return BLEND(LESS(b, a), a, BLEND(LESS(a, b), b, equal));
}
ALWAYS TARGET VF FN(min)(VF a, VF b) {
  VF equal = BLEND(EQUAL(a, b), (VF)((VI)a | (VI)b), a + b);
  return BLEND(LESS(a, b), a, BLEND(LESS(b, a), b, equal));
}

/* Runs `body` for every vector of a tile, with the offsets of a row in scope. Rows that lie behind one another become one. */
#define JOINS(v, length) ((v).row == ((v).step == 0 ? 0 : (length)))
#define ROWS_OF_TILE(joined)                                                                                           \
  long rows = tile.rows, vectors = (tile.columns + LANES - 1) / LANES;                                                 \
  const long length = vectors * LANES;                                                                                 \
  (void)length;                                                                                                        \
  if (rows > 1 && (joined)) {                                                                                          \
    vectors *= rows;                                                                                                   \
    rows = 1;                                                                                                          \
  }
#define EACH_VECTOR(joined, ...)                                                                                       \
  do {                                                                                                                 \
    ROWS_OF_TILE(joined)                                                                                               \
    for (long row = 0; row < rows; row++)                                                                              \
      for (long i = 0, at = 0; i < vectors; i++, at += LANES) __VA_ARGS__                                                  \
  } while (0)
#define READ_AT(v, column) FN(load)((v).at + row * (v).row + (column) * (v).step)
#define READ(v) READ_AT(v, at)

#define UNARY(name, formula)                                                                                           \
  static TARGET void FN(name##Values)(Tile tile, Values to, Values from) {                                             \
    EACH_VECTOR(JOINS(to, length) && JOINS(from, length), {                                                            \
      VF x = READ(from);                                                                                               \
      FN(store)(to.at + row * to.row + at, formula);                                                                   \
    });                                                                                                                \
  }
UNARY(neg, -x)
UNARY(abs, (VF)((VI)x & 0x7fffffff))
UNARY(sqrt, SQRT(x))
UNARY(floor, FLOOR(x))
UNARY(sign, FN(sign)(x))
UNARY(log, FN(log)(x))
UNARY(sin, FN(sinCos)(x, 0))
UNARY(cos, FN(sinCos)(x, 1))

/* As EACH_VECTOR, for vectors abreast: reads `sum` into x[0] … */
#define EACH_ABREAST(joined, sum, function)                                                                            \
  do {                                                                                                                 \
    ROWS_OF_TILE(joined)                                                                                               \
    for (long row = 0; row < rows; row++) {                                                                            \
      long i = 0, at = 0;                                                                                              \
      for (; i + ABREAST <= vectors; i += ABREAST, at += ABREAST * LANES) ABREAST_BODY(ABREAST, sum, function)         \
      for (; i < vectors; i++, at += LANES) ABREAST_BODY(1, sum, function)                                             \
    }                                                                                                                  \
  } while (0)
#define ABREAST_BODY(many, sum, function)                                                                              \
  {                                                                                                                    \
    enum { count = many };                                                                                             \
    VF x[ABREAST];                                                                                                     \
    ABREAST_DO({ x[v] = sum; });                                                                                       \
    function(count, x);                                                                                                \
    ABREAST_DO({ FN(store)(to.at + row * to.row + at + v * LANES, x[v]); });                                           \
  }
#define ELEMENTARY(name)                                                                                               \
  static TARGET void FN(name##Values)(Tile tile, Values to, Values a) {                                                \
    EACH_ABREAST(JOINS(to, length) && JOINS(a, length), READ_AT(a, at + v * LANES), FN(name));                         \
  }
#define ELEMENTARY_OF_SUM(name)                                                                                        \
  ELEMENTARY(name)                                                                                                     \
  static TARGET void FN(name##OfTwo)(Tile tile, Values to, Values a, Values b) {                                       \
    EACH_ABREAST(JOINS(to, length) && JOINS(a, length) && JOINS(b, length),                                            \
                 READ_AT(a, at + v * LANES) + READ_AT(b, at + v * LANES), FN(name));                                   \
  }                                                                                                                    \
  static TARGET void FN(name##OfThree)(Tile tile, Values to, Values a, Values b, Values c) {                           \
    EACH_ABREAST(JOINS(to, length) && JOINS(a, length) && JOINS(b, length) && JOINS(c, length),                        \
                 READ_AT(a, at + v * LANES) + READ_AT(b, at + v * LANES) + READ_AT(c, at + v * LANES), FN(name));      \
  }
ELEMENTARY(exp)
ELEMENTARY_OF_SUM(tanh)
ELEMENTARY_OF_SUM(sigmoid)

#define BINARY(name, formula)                                                                                          \
  static TARGET void FN(name##Values)(Tile tile, Values to, Values left, Values right) {                               \
    EACH_VECTOR(JOINS(to, length) && JOINS(left, length) && JOINS(right, length), {                                    \
      VF a = READ(left), b = READ(right);                                                                              \
      FN(store)(to.at + row * to.row + at, formula);                                                                   \
    });                                                                                                                \
  }
BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, a *b)
BINARY(div, a / b)
BINARY(max, FN(max)(a, b))
BINARY(min, FN(min)(a, b))
BINARY(less, BLEND(LESS(a, b), FN(splat)(1), FN(splat)(0)))
BINARY(equal, BLEND(EQUAL(a, b), FN(splat)(1), FN(splat)(0)))

static TARGET void FN(selectValues)(Tile tile, Values to, Values condition, Values left, Values right) {
  EACH_VECTOR(JOINS(to, length) && JOINS(condition, length) && JOINS(left, length) && JOINS(right, length), {
    VF yes = READ(left), no = READ(right);
    FN(store)(to.at + row * to.row + at, BLEND(EQUAL(READ(condition), FN(splat)(0)), no, yes));
  });
}

ALWAYS TARGET VU FN(mix)(VU x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

static TARGET void FN(randomValues)(Tile tile, Values to, Values seed, uint32_t stream, const Position *positions, int count) {
  const uint32_t step = 0x9e3779b1u;
  VU lanes;
  for (int i = 0; i < LANES; i++) lanes[i] = (uint32_t)i;
  EACH_VECTOR(0, {
    VU hash = FN(mix)((VU)FN(toIntSaturated)(READ(seed)) ^ ((stream + 1) * step));
    for (int i = 0; i < count; i++) {
      const Position *p = &positions[i];
      VU position = (lanes + (uint32_t)at) * p->perColumn + (p->first + (uint32_t)row * p->perRow);
      hash = FN(mix)(hash + (position + 1) * step);
    }
    FN(store)(to.at + row * to.row + at, TOFLOAT((VI)(hash >> 8)) * FN(splat)(5.9604644775390625e-8f));
  });
}

/* `exact`: nothing behind the columns is read or written. */
static TARGET void FN(copyValues)(Tile tile, Values to, Values from, int exact) {
  if (!exact) {
    EACH_VECTOR(JOINS(to, length) && JOINS(from, length), { FN(store)(to.at + row * to.row + at, READ(from)); });
    return;
  }
  for (long row = 0; row < tile.rows; row++) {
    long at = 0;
    float *target = to.at + row * to.row;
    for (; at + LANES <= tile.columns; at += LANES) FN(store)(target + at, READ(from));
    if (at == tile.columns) continue;
    const float *rest = from.at + row * from.row + at * from.step;
    VF last = from.step == 0 ? FN(load)(rest) : FN(loadSome)(rest, tile.columns - at);
    FN(storeSome)(target + at, last, tile.columns - at);
  }
}

static TARGET void FN(fillValues)(float *to, float value) {
  for (int i = 0; i < widestLanes; i += LANES) FN(store)(to + i, FN(splat)(value));
}

static TARGET void FN(combineValues)(Tile tile, int op, float *target, long targetRow, Values x) {
  for (long at = 0; at < tile.columns; at += LANES) {
    const long count = tile.columns - at;
    VF sum = FN(splat)(0);
    for (long row = 0; row < tile.rows; row++) {
      float *place = target + row * targetRow + at;
      if (row == 0 || targetRow != 0) sum = count >= LANES ? FN(load)(place) : FN(loadSome)(place, count);
      VF value = READ(x);
      if (op == 0) sum = sum + value;
      else sum = FN(max)(sum, value);
      if (row < tile.rows - 1 && targetRow == 0) continue;
      if (count >= LANES) FN(store)(place, sum);
      else FN(storeSome)(place, sum, count);
    }
  }
}

static const LoopKernels FN(loops) = {
    .unary = {FN(negValues), FN(expValues), FN(logValues), FN(tanhValues), FN(sigmoidValues), FN(absValues), FN(sqrtValues),
              FN(signValues), FN(floorValues), FN(sinValues), FN(cosValues)},
    .binary = {FN(addValues), FN(subValues), FN(mulValues), FN(divValues), FN(maxValues), FN(minValues), FN(lessValues),
               FN(equalValues)},
    .unaryOfTwo = {[tanhOp] = FN(tanhOfTwo), [sigmoidOp] = FN(sigmoidOfTwo)},
    .unaryOfThree = {[tanhOp] = FN(tanhOfThree), [sigmoidOp] = FN(sigmoidOfThree)},
    .select = FN(selectValues),
    .random = FN(randomValues),
    .copy = FN(copyValues),
    .fill = FN(fillValues),
    .combine = FN(combineValues),
};

#undef VI
#undef VU
#undef MASK
#undef LESS
#undef EQUAL
#undef BLEND
#undef ATLEAST
#undef ATMOST
#undef EACH
#undef NEAREST
#undef FLOOR
#undef SQRT
#undef INRANGE
#undef TOINT
#undef TOFLOAT
#undef JOINS
#undef EACH_VECTOR
#undef ROWS_OF_TILE
#undef READ
#undef READ_AT
#undef ABREAST_DO
#undef ABREAST_BODY
#undef EACH_ABREAST
#undef ELEMENTARY
#undef ELEMENTARY_OF_SUM
#undef UNARY
#undef BINARY

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
static const Kernels FN(kernels) = {TEXT(SET), PANEL, FN(gemm), FN(outer), FN(peak), 2.0 * LANES * FN(peakChains), &FN(loops), LANES};
#undef TEXT
#undef TEXT2

#undef FN
#undef VF
#undef PANEL
#undef TALL
#undef BESIDE
#undef KC
#undef MC
#undef FMA
#undef ABREAST
#undef KEEP
#undef WIDE
#undef TILE_ARGUMENTS
#undef TILE_VALUES
#undef DEFINE_TILE
#undef DEFINE_TILES
#undef DEFINE_ASKING
#undef DEFINE_ASKINGS
#undef TILES
#endif
