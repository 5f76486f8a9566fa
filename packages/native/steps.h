/*
 * The steps of a scan: products and loops, one step after the other, in one call. A call from WebAssembly takes longer than the
 * products of a small step.
 */

/*
 * A program, as 32-bit words (encodeSteps.ts of recurra writes it), with the sizes of loops.h:
 *
 *     version 2, axes, bases, steps, moving, commands
 *     commands:    0 loop: handle                        1 product: a, packed, c, rows, n, k
 *     a matrix:    base, address, row, start, stride along each step; in floats but for the address
 *
 * The last `moving` of the steps go on, those before belong to enclosing scans. A handle is that of a loop defined before.
 */
typedef struct {
  int base;
  uint32_t address;
  Size row, start, steps[mostSteps];
  float *now; /* in this step of the run */
  int64_t rowNow, move, apart; /* in floats: to the next step, to that of the next shard */
} Matrix;

typedef struct {
  Loop *loop; /* NULL: a product */
  Matrix a, packed, c;
  Size rows;
  int64_t rowsNow;
  int32_t n, k;
} Command;

typedef struct {
  int axes, bases, steps, moving, commands;
  Command *command;
} Steps;

static void freeSteps(Steps *steps) {
  if (steps == NULL) return;
  free(steps->command);
  free(steps);
}

static Matrix readMatrix(Reader *reader, const Steps *steps) {
  Matrix matrix = {.base = wordBelow(reader, 0, steps->bases + 1), .address = (uint32_t)word(reader)};
  matrix.row = readSize(reader, steps->axes);
  matrix.start = readSize(reader, steps->axes);
  for (int t = 0; t < steps->steps; t++) matrix.steps[t] = readSize(reader, steps->axes);
  return matrix;
}

/* A loop that runs with the numbers that these steps are given. */
static Loop *readHandle(Reader *reader, const Steps *steps, Loop **loops, int loopCount) {
  Loop *loop = loopCount > 0 ? loops[wordBelow(reader, 0, loopCount)] : NULL;
  if (loop == NULL || loop->axes != steps->axes || loop->bases != steps->bases || loop->steps != steps->steps) reader->bad = 1;
  return loop;
}

/* NULL for what is no such program. */
static Steps *readSteps(const int32_t *words, size_t length, Loop **loops, int loopCount) {
  Reader reader = {words, words + length, 0};
  Steps *steps = calloc(1, sizeof *steps);
  if (steps == NULL) return NULL;
  if (word(&reader) != 2) reader.bad = 1;
  steps->axes = wordBelow(&reader, 0, mostAxes + 1);
  steps->bases = wordBelow(&reader, 0, mostBases + 1);
  steps->steps = wordBelow(&reader, 0, mostSteps + 1);
  steps->moving = wordBelow(&reader, 0, steps->steps + 1);
  steps->commands = wordBelow(&reader, 0, 4096);
  steps->command = calloc(steps->commands + 1, sizeof *steps->command);
  if (steps->command == NULL) reader.bad = 1;
  for (int i = 0; i < steps->commands && !reader.bad; i++) {
    Command *command = &steps->command[i];
    if (wordBelow(&reader, 0, 2) == 0) {
      command->loop = readHandle(&reader, steps, loops, loopCount);
      continue;
    }
    command->a = readMatrix(&reader, steps);
    command->packed = readMatrix(&reader, steps);
    command->c = readMatrix(&reader, steps);
    command->rows = readSize(&reader, steps->axes);
    command->n = wordBelow(&reader, 0, INT32_MAX);
    command->k = wordBelow(&reader, 0, INT32_MAX);
  }
  if (!reader.bad && reader.at == reader.end) return steps;
  freeSteps(steps);
  return NULL;
}

/* Shards of the same sizes that go through the steps side by side, so that the weights of a product are read once for all of them. */
enum { mostAbreast = 8 };
typedef struct {
  int32_t shards;
  int32_t apart[mostBases]; /* bytes from the arena of one to that of the next, and from shard to shard */
  int32_t rows;             /* between their first rows in the whole batch */
} Abreast;

/* How a run goes through its steps: from those of `run`, `count` of them, forwards (1) or backwards (−1). */
typedef struct {
  const Run *run;
  const int32_t *sizes;
  int64_t count;
  int direction;
  const Abreast *abreast;
} Way;

/* Where a matrix lies in the first step of the first shard, and how far it moves. Whether it is within the memory in all of them. */
static int enter(Matrix *matrix, const Steps *steps, const Way *way, int64_t rows, int64_t columns) {
  const Run *run = way->run;
  int64_t first = evaluate(&matrix->start, way->sizes);
  matrix->rowNow = evaluate(&matrix->row, way->sizes);
  matrix->move = 0;
  for (int t = 0; t < steps->steps; t++) {
    const int64_t stride = evaluate(&matrix->steps[t], way->sizes);
    first += run->steps[t] * stride;
    if (t >= steps->steps - steps->moving) matrix->move += way->direction * stride;
  }
  const int64_t base = matrix->base > 0 ? (uint32_t)run->bases[matrix->base - 1] : 0;
  const int64_t apart = matrix->base > 0 ? (uint32_t)way->abreast->apart[matrix->base - 1] : 0;
  const int64_t begin = base + matrix->address + 4 * first, last = begin + 4 * (way->count - 1) * matrix->move;
  const int64_t reach = rows > 0 && columns > 0 ? 4 * ((rows - 1) * matrix->rowNow + columns) : 0;
  matrix->apart = apart / 4;
  matrix->now = (float *)(run->base + begin);
  return matrix->rowNow >= 0 && ((begin | apart) & 3) == 0 && least(begin, last) >= 0 &&
         (uint64_t)((begin > last ? begin : last) + (way->abreast->shards - 1) * apart + reach) <= run->bytes;
}

static int enterProduct(Command *product, const Steps *steps, const Way *way) {
  product->rowsNow = evaluate(&product->rows, way->sizes);
  return enter(&product->a, steps, way, product->rowsNow, product->k) &&
         enter(&product->packed, steps, way, 1, (int64_t)product->k * roundUp(product->n, panelWidth)) &&
         enter(&product->c, steps, way, product->rowsNow, product->n);
}

static void multiply(Command *product, long shards) {
  Matrix *a = &product->a, *packed = &product->packed, *c = &product->c;
  if (product->rowsNow > 0 && product->n > 0) {
    /* Weights of each shard's own are read one after the other. */
    const long together = packed->apart == 0 ? shards : 1;
    for (long i = 0; i < shards; i += together)
      active->gemm(a->now + i * a->apart, a->rowNow, packed->now + i * packed->apart, c->now + i * c->apart, c->rowNow,
                   product->rowsNow, product->n, product->k, 0, (Blocks){together, a->apart, c->apart});
  }
  a->now += a->move;
  packed->now += packed->move;
  c->now += c->move;
}

/* Returns what is wrong, or NULL. */
static const char *runSteps(Steps *steps, const Run *start, const int32_t *sizes, int64_t count, int direction,
                            const Abreast *abreast) {
  const Way way = {start, sizes, count, direction, abreast};
  int32_t position[mostSteps], bases[mostAbreast][mostBases];
  Run runs[mostAbreast];
  if (abreast->shards < 1 || abreast->shards > mostAbreast) return "@recurra/native: from 1 to 8 shards go side by side";
  memcpy(position, start->steps, steps->steps * sizeof *position);
  for (int shard = 0; shard < abreast->shards; shard++) {
    for (int i = 0; i < steps->bases; i++)
      bases[shard][i] = (int32_t)((uint32_t)start->bases[i] + (uint32_t)shard * (uint32_t)abreast->apart[i]);
    runs[shard] = *start;
    runs[shard].steps = position;
    runs[shard].bases = bases[shard];
    runs[shard].firstRow = start->firstRow + shard * abreast->rows;
  }
  if (count <= 0) return NULL;
  for (int i = 0; i < steps->commands; i++)
    if (steps->command[i].loop == NULL && !enterProduct(&steps->command[i], steps, &way))
      return "@recurra/native: a product reaches outside the memory (after growing it, call rebind)";
  for (int64_t n = 0; n < count; n++) {
    for (int i = 0, end; i < steps->commands; i = end) {
      end = i + 1;
      if (steps->command[i].loop == NULL) {
        multiply(&steps->command[i], abreast->shards);
        continue;
      }
      /* Loops that follow each other: all of them for one shard, whose values the caches hold. */
      while (end < steps->commands && steps->command[end].loop != NULL) end++;
      for (int shard = 0; shard < abreast->shards; shard++)
        for (int j = i; j < end; j++) {
          const char *problem = runLoop(steps->command[j].loop, &runs[shard], sizes, (Part){0, -1});
          if (problem != NULL) return problem;
        }
    }
    for (int t = steps->steps - steps->moving; t < steps->steps; t++) position[t] += direction;
  }
  return NULL;
}
