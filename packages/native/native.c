/*
 * Matrix products and fused elementwise loops on the memory of a WebAssembly module, behind Node-API.
 *
 * The file includes itself once for each instruction set: the part under `#ifdef LANES` is written once over vectors of LANES
 * floats and becomes AVX-512, AVX2 + FMA, NEON and portable code. Which one runs is decided when the file is loaded.
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
#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")



enum { panelWidth = 16, outerBlock = 256, panelLimit = 64 };

static inline long least(long a, long b) { return a < b ? a : b; }
static inline long roundUp(long a, long unit) { return (a + unit - 1) / unit * unit; }

/* What the kernels of one instruction set offer. Strides in floats. */
typedef struct {
  const char *name;
  long width; /* columns of a full panel */
  void (*gemm)(const float *a, long aRow, long aColumn, const float *packed, float *c, long cRow, long m, long n, long k,
               int accumulate);
  void (*outer)(const float *a, long aRow, const float *b, long bRow, float *c, long cRow, long m, long n, long rows,
                float *packedB, float *packedA);
  float (*peak)(long iterations);
  double peakFlops; /* of one iteration */
} Kernels;

/* Floats that `outer` needs for packed rows of A. */
enum { packedALimit = outerBlock * 256 };

static const Kernels *active;

/* ---- pack ---------------------------------------------------------------------------------------------------------- */

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

/* Panels of `width` columns; the last one is as wide as its columns, rounded up to panelWidth and filled with zeros. */
static void packPanels(const float *source, long rowStride, long columnStride, float *target, long k, long n, long width) {
  for (long column = 0; column < n; column += width) {
    long columns = least(width, n - column), wide = roundUp(columns, panelWidth);
    const float *from = source + column * columnStride;
    if (columnStride == 1) {
      packRun(from, rowStride, target, k, columns, wide);
    } else {
      for (long start = 0; start < wide; start += panelWidth) {
        long lanes = least(panelWidth, columns - start);
        const float *corner = from + start * columnStride;
        float *to = target + start;
        if (lanes == panelWidth) {
          for (long row = 0; row < k; row++)
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
}

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

/* ---- Node-API ------------------------------------------------------------------------------------------------------ */

/* What the functions bound to one memory share. It lives until the last of them is collected. */
typedef struct {
  char *base;
  uint64_t bytes;
  napi_ref buffer; /* keeps the memory alive */
  float *packedA;
  int users;
} Binding;

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

enum { mostArguments = 16 };

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
  int32_t v[10];
  Binding *binding = arguments(env, info, 10, v);
  if (binding == NULL) return NULL;
  int64_t m = v[6], n = v[7], k = v[8];
  if (m <= 0 || n <= 0) return NULL;
  float *a = matrix(env, binding, v[0], m, v[1], k, v[2]);
  if (a == NULL) return NULL;
  float *packed = matrix(env, binding, v[3], k, roundUp(n, panelWidth), roundUp(n, panelWidth), 1);
  if (packed == NULL) return NULL;
  float *c = matrix(env, binding, v[4], m, v[5], n, 1);
  if (c != NULL) active->gemm(a, v[1], v[2], packed, c, v[5], m, n, k, v[9]);
  return NULL;
}

static napi_value callOuter(napi_env env, napi_callback_info info) {
  int32_t v[10];
  Binding *binding = arguments(env, info, 10, v);
  if (binding == NULL) return NULL;
  int64_t m = v[6], n = v[7], rows = v[8];
  if (m <= 0 || n <= 0) return NULL;
  float *a = matrix(env, binding, v[0], rows, v[1], m, 1);
  if (a == NULL) return NULL;
  float *b = matrix(env, binding, v[2], rows, v[3], n, 1);
  if (b == NULL) return NULL;
  float *c = matrix(env, binding, v[4], m, v[5], n, 1);
  if (c == NULL) return NULL;
  float *scratch = matrix(env, binding, v[9], outerBlock, roundUp(n, panelWidth), roundUp(n, panelWidth), 1);
  if (scratch == NULL) return NULL;
  if (binding->packedA == NULL) binding->packedA = malloc(packedALimit * sizeof(float));
  if (binding->packedA == NULL) return fail(env, "@recurra/native: out of memory");
  active->outer(a, v[1], b, v[3], c, v[5], m, n, rows, scratch, binding->packedA);
  return NULL;
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
      {"rebind", callRebind},
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

static napi_value callNothing(napi_env env, napi_callback_info info) {
  int32_t v[10];
  arguments(env, info, 10, v);
  return NULL;
}

NAPI_MODULE_INIT() {
  findChoices();
  static const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"bind", callBind},     {"select", callSelect},       {"selected", callSelected},
      {"peak", callPeak},     {"nothing", callNothing},
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
#elif LANES == 8
typedef __m256 VF;
#define PANEL 16
#define TALL 6
#define BESIDE 4
#define KC 384
#define MC 240
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#elif defined(NEON)
typedef float32x4_t VF;
#define PANEL 16
#define TALL 6
#define BESIDE 2
#define KC 256
#define MC 240
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#else
typedef float VF __attribute__((vector_size(16)));
#define PANEL 16
#define TALL 3
#define BESIDE 1
#define KC 256
#define MC 240
#define FMA(a, b, c) ((c) + (a) * (b))
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
      long cRow, long columns, long k, int accumulate
#define TILE_VALUES a, aRow, aColumn, b, bRow, beside, c, cRow, columns, k, accumulate

typedef void (*FN(Tile))(TILE_ARGUMENTS);

ALWAYS TARGET void FN(tile)(const int R, const int V, const int ahead, TILE_ARGUMENTS) {
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
    if (ahead) UNROLL for (int v = 0; v < V; v++) __builtin_prefetch(b + (v / WIDE) * beside + (v % WIDE) * LANES + 1024);
    UNROLL for (int v = 0; v < V; v++) bs[v] = FN(load)(b + (v / WIDE) * beside + (v % WIDE) * LANES);
    UNROLL for (int r = 0; r < R; r++) {
      VF as = FN(splat)(a[r * aRow]);
      UNROLL for (int v = 0; v < V; v++) sum[r][v] = FMA(as, bs[v], sum[r][v]);
    }
    a += aColumn;
    b += bRow;
  }
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) {
    float *to = c + r * cRow + v * LANES;
    if (v < V - 1 || whole) FN(store)(to, sum[r][v]);
    else FN(storeSome)(to, sum[r][v], rest);
  }
}

#define DEFINE_TILE(R, V) \
  static TARGET void FN(tile##R##x##V)(TILE_ARGUMENTS) { FN(tile)(R, V, 0, TILE_VALUES); } \
  static TARGET void FN(ahead##R##x##V)(TILE_ARGUMENTS) __attribute__((unused)); \
  static TARGET void FN(ahead##R##x##V)(TILE_ARGUMENTS) { FN(tile)(R, V, 1, TILE_VALUES); }
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
/* Full panels that come from afar: the first tile of a panel also asks for the lines behind those it reads. */
static const FN(Tile) FN(farTiles)[TALL] = {
#if WIDE == 4 && TALL == 6
    FN(ahead1x4), FN(ahead2x4), FN(ahead3x4), FN(ahead4x4), FN(ahead5x4), FN(ahead6x4)
#elif WIDE == 4
    FN(ahead1x4), FN(ahead2x4), FN(ahead3x4)
#else
    FN(ahead1x2), FN(ahead2x2), FN(ahead3x2), FN(ahead4x2), FN(ahead5x2), FN(ahead6x2)
#endif
};
#if LANES == 16 || defined(NEON)
static const int FN(tallest)[WIDE] = {12, 12, 8, TALL};
#elif WIDE == 4
static const int FN(tallest)[WIDE] = {6, 6, 3, TALL};
#else
static const int FN(tallest)[WIDE] = {6, TALL};
#endif

/* All rows of one panel, in tiles of nearly the same height: a last tile of one row would wait for its own sums. */
ALWAYS TARGET void FN(panel)(const float *a, long aRow, long aColumn, const float *b, long bRow, float *c, long cRow, long m,
                             long columns, long k, int accumulate, int far) {
  const int v = (int)((columns + LANES - 1) / LANES) - 1;
  const long count = (m + FN(tallest)[v] - 1) / FN(tallest)[v], low = m / count, higher = m % count;
  for (long i = 0; i < count; i++) {
    const long rows = low + (i < higher);
    const FN(Tile) tile = far && i == 0 && v == WIDE - 1 ? FN(farTiles)[rows - 1] : FN(tiles)[v][rows - 1];
    tile(a, aRow, aColumn, b, bRow, 0, c, cRow, columns, k, accumulate);
    a += rows * aRow;
    c += rows * cRow;
  }
}

static TARGET void FN(gemm)(const float *a, long aRow, long aColumn, const float *packed, float *c, long cRow, long m, long n,
                            long k, int accumulate) {
  if (k <= 0) {
    for (long row = 0; row < m && !accumulate; row++) memset(c + row * cRow, 0, n * sizeof(float));
    return;
  }
  if (m == 1) {
    long column = 0;
#if BESIDE > 1
    for (; column + BESIDE * PANEL <= n; column += BESIDE * PANEL)
      FN(tile1x8)(a, aRow, aColumn, packed + column * k, PANEL, PANEL * k, c + column, cRow, BESIDE * PANEL, k, accumulate);
#endif
    for (; column < n; column += PANEL) {
      const long columns = least(PANEL, n - column);
      FN(panel)(a, aRow, aColumn, packed + column * k, roundUp(columns, panelWidth), c + column, cRow, 1, columns, k, accumulate, 0);
    }
    return;
  }
  /* Blocks over k keep a panel in the first-level cache, blocks over m keep the rows of A in the second. */
  const long blocks = k <= KC + KC / 2 ? 1 : (k + KC - 1) / KC, step = (k + blocks - 1) / blocks;
  const int far = k * n > (1 << 18);
  for (long block = 0, start = 0; block < blocks; block++, start += step) {
    const long depth = least(step, k - start);
    for (long row = 0; row < m; row += MC) {
      const long rows = least(MC, m - row);
      for (long column = 0; column < n; column += PANEL) {
        const long columns = least(PANEL, n - column), wide = roundUp(columns, panelWidth);
        FN(panel)(a + row * aRow + start * aColumn, aRow, aColumn, packed + column * k + start * wide, wide,
                  c + row * cRow + column, cRow, rows, columns, depth, accumulate || block > 0, far);
      }
    }
  }
}

/* Packs rows of A so that each tile of `panel` reads them in one stream: [tile][k][row of the tile]. */
static TARGET void FN(packRows)(const float *a, long aRow, float *target, long m, long k, long tallest) {
  const long count = (m + tallest - 1) / tallest, low = m / count, higher = m % count;
  /* A few steps of k at a time: their lines of A stay in the first-level cache whatever the stride. */
  for (long start = 0; start < k; start += 16) {
    const long end = least(k, start + 16);
    const float *from = a;
    float *to = target;
    for (long i = 0; i < count; i++) {
      const long rows = low + (i < higher);
      if (rows == 6)
        for (long r = start; r < end; r++) memcpy(to + r * 6, from + r * aRow, 6 * sizeof(float));
      else
        for (long r = start; r < end; r++)
          for (long j = 0; j < rows; j++) to[r * rows + j] = from[r * aRow + j];
      to += rows * k;
      from += rows;
    }
  }
}

static TARGET void FN(outer)(const float *a, long aRow, const float *b, long bRow, float *c, long cRow, long m, long n, long rows,
                             float *packedB, float *packedA) {
  if (rows <= 0) {
    for (long i = 0; i < m; i++) memset(c + i * cRow, 0, n * sizeof(float));
    return;
  }
  const long full = n / PANEL * PANEL;
  for (long start = 0; start < rows; start += outerBlock) {
    const long depth = least(outerBlock, rows - start);
    const float *as = a + start * aRow, *bs = b + start * bRow;
    const int accumulate = start > 0;
    if (m <= 2 * TALL) {
      /* Few rows: packing would cost as much as the product. Only the last panel needs its zeros. */
      for (long column = 0; column < full; column += PANEL)
        FN(panel)(as, 1, aRow, bs + column, bRow, c + column, cRow, m, PANEL, depth, accumulate, 0);
      if (full < n) {
        packPanels(bs + full, bRow, 1, packedB, depth, n - full, PANEL);
        FN(panel)(as, 1, aRow, packedB, roundUp(n - full, panelWidth), c + full, cRow, m, n - full, depth, accumulate, 0);
      }
      continue;
    }
    for (long row = 0; row < m; row += MC) {
      const long block = least(MC, m - row);
      const long tall = TALL, count = (block + tall - 1) / tall, low = block / count, higher = block % count;
      FN(packRows)(as + row, aRow, packedA, block, depth, tall);
      for (long column = 0; column < n; column += PANEL) {
        const long columns = least(PANEL, n - column), wide = roundUp(columns, panelWidth);
        const int v = (int)((columns + LANES - 1) / LANES) - 1;
        if (row == 0) packRun(bs + column, bRow, packedB + column * depth, depth, columns, wide);
        const float *tileA = packedA;
        float *tileC = c + row * cRow + column;
        for (long i = 0; i < count; i++) {
          const long height = low + (i < higher);
          FN(tiles)[v][height - 1](tileA, 1, height, packedB + column * depth, wide, 0, tileC, cRow, columns, depth, accumulate);
          tileA += height * depth;
          tileC += height * cRow;
        }
      }
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

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
static const Kernels FN(kernels) = {TEXT(SET), PANEL, FN(gemm), FN(outer), FN(peak), 2.0 * LANES * FN(peakChains)};
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
#undef WIDE
#undef TILE_ARGUMENTS
#undef TILE_VALUES
#undef DEFINE_TILE
#undef DEFINE_TILES
#undef TILES
#endif
