/* GFLOP/s of one core with 128-bit fused multiply-adds in registers: the best of so many short runs as it is told, or of 15. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef float Lanes __attribute__((vector_size(16)));

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("fma")))
#define FMA(a, b, c) (Lanes) _mm_fmadd_ps((__m128)(a), (__m128)(b), (__m128)(c))
#else
#define TARGET
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#define CHAINS 12

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

TARGET static Lanes run(long times, Lanes a, Lanes b) {
  Lanes c[CHAINS] = {{0}};
  for (long t = 0; t < times; t++)
    for (int i = 0; i < CHAINS; i++) c[i] = FMA(c[i], a, b);
  for (int i = 1; i < CHAINS; i++) c[0] += c[i];
  return c[0];
}

int main(int count, char **given) {
  const long times = 1000000;
  const int repeats = count > 1 ? atoi(given[1]) : 15;
  volatile float seed = 0.5f;
  Lanes a = {seed, seed, seed, seed}, b = {1, 1, 1, 1};
  double best = 0;
  float kept = 0;
  for (int repeat = 0; repeat < repeats; repeat++) {
    double start = seconds();
    kept += run(times, a, b)[0];
    double rate = times * (double)CHAINS * 4 * 2 / (seconds() - start) / 1e9;
    if (rate > best) best = rate;
  }
  printf("%.3f\n", best);
  return kept < 0;
}
