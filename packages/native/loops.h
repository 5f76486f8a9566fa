/*
 * Fused elementwise loops: a program of 32-bit words is read once, prepared for the sizes of a run, and run as machine code or
 * interpreted over tiles of its rows.
 */

/* ---- programs -------------------------------------------------------------------------------------------------------- */

/*
 * A program, as 32-bit words (encodeLoop.ts of recurra writes it):
 *
 *     version 1, axes, bases, steps, dims, pointers, ops, stores, reductions, in lanes (0 or 1), batch (its dim, or −1)
 *     dims:        size of each, outermost first
 *     pointers:    base (0: the start of memory, 1 …: those of the call), start, stride along each dim, along each step; in floats
 *     ops:         0 load: pointer, address, copy        1 literal: bits of the float   2 position: dim or −1
 *                  3 step: number                        4 random: seed, stream, count, count × (dim, −1, or −2 − step)
 *                  5 unary: op, x                        6 binary: op, a, b             7 select: condition, a, b
 *     stores:      value, pointer, address, direct
 *     reductions:  value, op (0 sum, 1 max), pointer, address, in a register, carried
 *     a size:      coefficient, count, count × axis
 *
 * Values are numbers of earlier ops. `copy`: the loop overwrites what it loads here and needs it afterwards. `direct`: nothing
 * that the loop loads lies in the buffer of this store. Along the innermost dimension element j of whole sixteens is added to lane
 * j mod 16; the four fours of lanes are added up, one after the other; what remains of a row is added four by four, and the last
 * elements to the first lane, as WebAssembly does it. Without `in lanes` all of it is added to the first.
 */
typedef struct {
  int32_t coefficient, count, axes[mostAxes];
} Size;

typedef struct {
  int base;
  Size start, dims[mostDims], steps[mostSteps];
  int64_t startNow, dimsNow[mostDims], stepsNow[mostSteps]; /* for the sizes and the part of the last run, in floats */
  int64_t reach;                                             /* from the first to the last element */
  int64_t offset;                                            /* with the steps of this run and the outer dims */
  uint32_t highest, highestSum; /* of the addresses of its loads and stores, and of its reductions */
  int moves, sums, misaligned;  /* whether there are any; whether one of them is not that of a float */
} Pointer;

typedef struct {
  int32_t kind, which, a, b, c; /* which: pointer, dim, step, or the table's row */
  uint32_t address, stream;
  float value;
  int copy, count, hashed[mostHashed];
  int terms, folded; /* a unary op of a sum reads the `terms` of it itself: a, b, c; the sum is `folded` and never stored */
  int slot;  /* of the scratch, when the value is computed or copied */
  int store; /* the store that takes it directly, or −1 */
  Values now;
} Op;

typedef struct {
  int32_t value, op, pointer;
  uint32_t address;
  int direct, inRegister, carried;
  float lanes[widestLanes]; /* between the parts of a long row */
} Result;

/* Of a loop: `count` positions of its outermost dimension from `first` on; a negative count means all of them. */
typedef struct {
  int32_t first, count;
} Part;

typedef struct {
  int axes, bases, steps, dims, pointers, ops, stores, reductions, inLanes, batch, slots, fresh;
  Size size[mostDims];
  int64_t sizeNow[mostDims]; /* of the part that the last run did */
  Part part;                 /* which that was */
  int32_t sizes[mostAxes];
  Pointer *pointer;
  Op *op;
  Result *store, *reduction;
  float *constants; /* a vector for each op */
  struct MachineCode *code; /* NULL: interpreted */
} Loop;

typedef struct {
  const int32_t *at, *end;
  int bad;
} Reader;

static int32_t word(Reader *reader) {
  if (reader->at < reader->end) return *reader->at++;
  reader->bad = 1;
  return 0;
}

static int32_t wordBelow(Reader *reader, int32_t low, int32_t limit) {
  int32_t value = word(reader);
  if (value >= low && value < limit) return value;
  reader->bad = 1;
  return low;
}

static Size readSize(Reader *reader, int axes) {
  Size size = {word(reader), wordBelow(reader, 0, mostAxes + 1), {0}};
  for (int i = 0; i < size.count; i++) size.axes[i] = wordBelow(reader, 0, axes);
  return size;
}

static int64_t evaluate(const Size *size, const int32_t *sizes) {
  int64_t value = size->coefficient;
  for (int i = 0; i < size->count; i++) value *= sizes[size->axes[i]];
  return value;
}

#ifdef COMPILES
#include "machineCode.h"
#endif

static void freeLoop(Loop *loop) {
  if (loop == NULL) return;
#ifdef COMPILES
  freeMachineCode(loop->code);
#endif
  free(loop->pointer);
  free(loop->op);
  free(loop->store);
  free(loop->reduction);
  free(loop->constants);
  free(loop);
}

/* The ops whose values an op reads. Returns how many. */
static int readsOf(const Op *op, int32_t *reads) {
  const int32_t all[] = {op->a, op->b, op->c};
  const int count = op->folded                             ? 0
                    : op->kind == unaryOp                  ? op->terms
                    : op->kind == randomOp                 ? 1
                    : op->kind == binaryOp                 ? 2
                    : op->kind == selectOp                 ? 3
                                                           : 0;
  memcpy(reads, all, sizeof all);
  return count;
}

/* Whether an op is a sum that nothing but one other op reads. */
static int isOwnSum(const Loop *loop, const int *uses, int32_t i) {
  return uses[i] == 1 && loop->op[i].kind == binaryOp && loop->op[i].which == addOp;
}

/* Sums of two or three terms move into the unary op that reads them, where it can take them. */
static void foldSums(Loop *loop) {
  int *uses = calloc(loop->ops + 1, sizeof(int));
  if (uses == NULL) return;
  for (int i = 0; i < loop->ops; i++) {
    int32_t reads[3];
    for (int j = readsOf(&loop->op[i], reads) - 1; j >= 0; j--) uses[reads[j]]++;
  }
  for (int i = 0; i < loop->stores; i++) uses[loop->store[i].value]++;
  for (int i = 0; i < loop->reductions; i++) uses[loop->reduction[i].value]++;
  for (int i = 0; i < loop->ops; i++) {
    Op *op = &loop->op[i];
    if (op->kind != unaryOp || active->loops->unaryOfTwo[op->which] == NULL || !isOwnSum(loop, uses, op->a)) continue;
    Op *sum = &loop->op[op->a];
    sum->folded = 1;
    op->a = sum->a;
    op->b = sum->b;
    op->terms = 2;
    if (!isOwnSum(loop, uses, op->a)) {
      if (!isOwnSum(loop, uses, op->b)) continue;
      op->a = sum->b;
      op->b = sum->a;
    }
    /* Sums do not depend on the order of two terms. */
    Op *inner = &loop->op[op->a];
    inner->folded = 1;
    op->c = op->b;
    op->a = inner->a;
    op->b = inner->b;
    op->terms = 3;
  }
  free(uses);
}

/* Slots of the scratch: a value keeps its own until the last op, store or reduction that reads it. */
static void assignSlots(Loop *loop) {
  int *last = calloc(loop->ops + 1, sizeof(int)), *free_ = calloc(loop->ops + 1, sizeof(int)), available = 0;
  if (last == NULL || free_ == NULL) {
    for (int i = 0; i < loop->ops; i++) loop->op[i].slot = i;
    loop->slots = loop->ops;
  } else {
    for (int i = 0; i < loop->ops; i++) {
      Op *op = &loop->op[i];
      int32_t reads[3];
      last[i] = i;
      for (int j = readsOf(op, reads) - 1; j >= 0; j--) last[reads[j]] = i;
    }
    for (int i = 0; i < loop->stores; i++) last[loop->store[i].value] = loop->ops;
    for (int i = 0; i < loop->reductions; i++) last[loop->reduction[i].value] = loop->ops;
    for (int i = 0; i < loop->ops; i++) {
      /* A computed value may be overwritten by the op that reads it last; a loaded or stretched one has other rows. */
      for (int j = 0; j < i; j++)
        if (last[j] == i && loop->op[j].kind >= randomOp) free_[available++] = loop->op[j].slot;
      if (!loop->op[i].folded) loop->op[i].slot = available > 0 ? free_[--available] : loop->slots++;
      for (int j = 0; j < i; j++)
        if (last[j] == i && loop->op[j].kind < randomOp) free_[available++] = loop->op[j].slot;
    }
  }
  free(last);
  free(free_);
}

/* An address that a loop reads or writes through a pointer. */
static void note(uint32_t address, uint32_t *highest, int *any, Pointer *pointer) {
  if (!*any || address > *highest) *highest = address;
  *any = 1;
  pointer->misaligned |= (address & 3) != 0;
}

static void noteAddresses(Loop *loop) {
  for (int i = 0; i < loop->ops; i++) {
    const Op *op = &loop->op[i];
    if (op->kind != loadOp) continue;
    Pointer *pointer = &loop->pointer[op->which];
    note(op->address, &pointer->highest, &pointer->moves, pointer);
  }
  for (int i = 0; i < loop->stores; i++) {
    Pointer *pointer = &loop->pointer[loop->store[i].pointer];
    note(loop->store[i].address, &pointer->highest, &pointer->moves, pointer);
  }
  for (int i = 0; i < loop->reductions; i++) {
    Pointer *pointer = &loop->pointer[loop->reduction[i].pointer];
    note(loop->reduction[i].address, &pointer->highestSum, &pointer->sums, pointer);
  }
}

static int compilesWhereItCan = 1;

/* Whether loops become machine code: with AVX-512, where the system lets a process run what it has written. */
static int compiles(void) {
#ifdef COMPILES
  return compilesWhereItCan && active->lanes == 16 && mayCompile();
#else
  return 0;
#endif
}

static Loop *readLoop(const int32_t *words, size_t length) {
  Reader reader = {words, words + length, 0};
  Loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) return NULL;
  if (word(&reader) != 1) reader.bad = 1;
  loop->axes = wordBelow(&reader, 0, mostAxes + 1);
  loop->bases = wordBelow(&reader, 0, mostBases + 1);
  loop->steps = wordBelow(&reader, 0, mostSteps + 1);
  loop->dims = wordBelow(&reader, 0, mostDims + 1);
  const int32_t most = 4096;
  loop->pointers = wordBelow(&reader, 0, most);
  loop->ops = wordBelow(&reader, 0, most);
  loop->stores = wordBelow(&reader, 0, most);
  loop->reductions = wordBelow(&reader, 0, most);
  loop->inLanes = wordBelow(&reader, 0, 2);
  loop->batch = wordBelow(&reader, -1, loop->dims);
  loop->fresh = 1;
  loop->pointer = calloc(loop->pointers + 1, sizeof *loop->pointer);
  loop->op = calloc(loop->ops + 1, sizeof *loop->op);
  loop->store = calloc(loop->stores + 1, sizeof *loop->store);
  loop->reduction = calloc(loop->reductions + 1, sizeof *loop->reduction);
  loop->constants = calloc((loop->ops + 1) * widestLanes, sizeof(float));
  if (!loop->pointer || !loop->op || !loop->store || !loop->reduction || !loop->constants) reader.bad = 1;
  for (int d = 0; d < loop->dims && !reader.bad; d++) loop->size[d] = readSize(&reader, loop->axes);
  for (int p = 0; p < loop->pointers && !reader.bad; p++) {
    Pointer *pointer = &loop->pointer[p];
    pointer->base = wordBelow(&reader, 0, loop->bases + 1);
    pointer->start = readSize(&reader, loop->axes);
    for (int d = 0; d < loop->dims; d++) pointer->dims[d] = readSize(&reader, loop->axes);
    for (int t = 0; t < loop->steps; t++) pointer->steps[t] = readSize(&reader, loop->axes);
  }
  for (int i = 0; i < loop->ops && !reader.bad; i++) {
    Op *op = &loop->op[i];
    op->store = -1;
    op->kind = wordBelow(&reader, 0, 8);
    switch (op->kind) {
      case loadOp:
        op->which = wordBelow(&reader, 0, loop->pointers);
        op->address = (uint32_t)word(&reader);
        op->copy = word(&reader);
        break;
      case literalOp: {
        int32_t bits = word(&reader);
        memcpy(&op->value, &bits, sizeof bits);
        break;
      }
      case positionOp:
        op->which = wordBelow(&reader, -1, loop->dims);
        break;
      case stepOp:
        op->which = wordBelow(&reader, 0, loop->steps);
        break;
      case randomOp:
        op->a = wordBelow(&reader, 0, i);
        op->stream = (uint32_t)word(&reader);
        op->count = wordBelow(&reader, 0, mostHashed + 1);
        for (int j = 0; j < op->count; j++) op->hashed[j] = wordBelow(&reader, -1 - loop->steps, loop->dims);
        break;
      case unaryOp:
        op->which = wordBelow(&reader, 0, unaryCount);
        op->a = wordBelow(&reader, 0, i);
        op->terms = 1;
        break;
      case binaryOp:
        op->which = wordBelow(&reader, 0, binaryCount);
        op->a = wordBelow(&reader, 0, i);
        op->b = wordBelow(&reader, 0, i);
        break;
      default:
        op->a = wordBelow(&reader, 0, i);
        op->b = wordBelow(&reader, 0, i);
        op->c = wordBelow(&reader, 0, i);
    }
  }
  for (int i = 0; i < loop->stores && !reader.bad; i++) {
    Result *store = &loop->store[i];
    store->value = wordBelow(&reader, 0, loop->ops);
    store->pointer = wordBelow(&reader, 0, loop->pointers);
    store->address = (uint32_t)word(&reader);
    store->direct = word(&reader);
    Op *op = &loop->op[store->value];
    if (store->direct && op->store < 0 && op->kind >= randomOp) op->store = i;
  }
  for (int i = 0; i < loop->reductions && !reader.bad; i++) {
    Result *reduction = &loop->reduction[i];
    reduction->value = wordBelow(&reader, 0, loop->ops);
    reduction->op = wordBelow(&reader, 0, 2);
    reduction->pointer = wordBelow(&reader, 0, loop->pointers);
    reduction->address = (uint32_t)word(&reader);
    reduction->inRegister = word(&reader);
    reduction->carried = word(&reader);
  }
  if (reader.bad || reader.at != reader.end) {
    freeLoop(loop);
    return NULL;
  }
  noteAddresses(loop);
#ifdef COMPILES
  if (compiles()) loop->code = compileLoop(loop); /* before sums move: where the pages are refused, the rest is needed too */
#endif
  foldSums(loop);
  assignSlots(loop);
  return loop;
}

#ifdef COMPILES
/* What the code reads of the sizes of a run. */
static void prepareCode(Loop *loop) {
  char *frame = loop->code->frame;
  const int64_t columns = loop->dims >= 1 ? loop->sizeNow[loop->dims - 1] : 1, rest = columns % 16;
  int64_t *strides = (int64_t *)(frame + loop->code->stridesAt);
  *(int64_t *)(frame + rowsAt) = loop->dims >= 2 ? loop->sizeNow[loop->dims - 2] : 1;
  *(int64_t *)(frame + wholeAt) = (columns - rest) * 4;
  *(int64_t *)(frame + pairsAt) = columns / 32 * 128;
  *(int64_t *)(frame + restFoursAt) = rest / 4 * 16;
  *(int32_t *)(frame + restAt) = (int32_t)rest;
  *(int32_t *)(frame + singlesAt) = (int32_t)(rest % 4);
  *(int32_t *)(frame + restMaskAt) = (1 << rest) - 1;
  for (int p = 0; p < loop->pointers; p++) strides[p] = loop->dims >= 2 ? loop->pointer[p].dimsNow[loop->dims - 2] * 4 : 0;
}
#endif

static int isPrepared(const Loop *loop, const int32_t *sizes, Part part) {
  return !loop->fresh && loop->part.first == part.first && loop->part.count == part.count &&
         memcmp(loop->sizes, sizes, loop->axes * sizeof *sizes) == 0;
}

/* Strides and extents for the sizes of a run and the part of it; they are kept for the next. Returns what is wrong, or NULL. */
static const char *prepare(Loop *loop, const int32_t *sizes, Part part) {
  memcpy(loop->sizes, sizes, loop->axes * sizeof *sizes);
  loop->part = part;
  loop->fresh = 1;
  for (int d = 0; d < loop->dims; d++) loop->sizeNow[d] = evaluate(&loop->size[d], sizes);
  if (part.count >= 0) {
    if (loop->dims == 0 || part.first < 0 || (int64_t)part.first + part.count > loop->sizeNow[0])
      return "@recurra/native: a part reaches behind its loop";
    loop->sizeNow[0] = part.count;
  }
  for (int p = 0; p < loop->pointers; p++) {
    Pointer *pointer = &loop->pointer[p];
    pointer->startNow = evaluate(&pointer->start, sizes);
    pointer->reach = 0;
    for (int d = 0; d < loop->dims; d++) {
      pointer->dimsNow[d] = evaluate(&pointer->dims[d], sizes);
      if (pointer->dimsNow[d] < 0) return "@recurra/native: a stride is negative";
      if (loop->sizeNow[d] > 0) pointer->reach += (loop->sizeNow[d] - 1) * pointer->dimsNow[d];
    }
    if (loop->dims > 0) pointer->startNow += part.first * pointer->dimsNow[0];
    for (int t = 0; t < loop->steps; t++) pointer->stepsNow[t] = evaluate(&pointer->steps[t], sizes);
  }
#ifdef COMPILES
  if (loop->code != NULL) prepareCode(loop);
#endif
  for (int i = 0; i < loop->ops; i++)
    if (loop->op[i].kind == literalOp) active->loops->fill(loop->constants + i * widestLanes, loop->op[i].value);
  loop->fresh = 0;
  return NULL;
}

typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourInts __attribute__((vector_size(16)));

static inline Four larger(Four a, Four b) {
  FourInts more = a > b, less = a < b, same = a == b;
  FourInts rest = (same & (FourInts)a & (FourInts)b) | (~same & (FourInts)(a + b));
  return (Four)((more & (FourInts)a) | (less & (FourInts)b) | (~(more | less) & rest));
}

static inline Four combined(int max, Four a, Four b) { return max ? larger(a, b) : a + b; }

static inline float combinedOne(int max, float a, float b) {
  const Four x = {a, 0, 0, 0}, y = {b, 0, 0, 0};
  return max ? larger(x, y)[0] : a + b;
}

static inline Four fourAt(const float *from) {
  Four value;
  memcpy(&value, from, sizeof value);
  return value;
}

/* The rows of a tile, each into its own place of the target. */
static void reduceRows(const Loop *loop, Result *reduction, Tile tile, long start, float *target, long targetRow) {
  enum { fours = widestLanes / 4 };
  const Values x = loop->op[reduction->value].now;
  const int max = reduction->op == 1;
  const float nothing = max ? -__builtin_inff() : 0;
  const long count = loop->dims == 0 ? 1 : loop->sizeNow[loop->dims - 1];
  for (long row = 0; row < tile.rows; row++) {
    const float *from = x.at + row * x.row;
    Four lanes[fours];
    for (int i = 0; i < fours; i++) lanes[i] = (Four){nothing, nothing, nothing, nothing};
    if (start > 0) memcpy(lanes, reduction->lanes, sizeof lanes);
    long at = 0;
    if (loop->inLanes) {
      for (; at + widestLanes <= tile.columns; at += widestLanes)
        for (int i = 0; i < fours; i++) lanes[i] = combined(max, lanes[i], fourAt(from + at * x.step + 4 * i));
    } else {
      for (; at < tile.columns; at++) lanes[0][0] = combinedOne(max, lanes[0][0], from[at * x.step]);
    }
    if (start + tile.columns < count) { /* so far whole sixteens */
      memcpy(reduction->lanes, lanes, sizeof lanes);
      continue;
    }
    for (int i = 1; i < fours; i++) lanes[0] = combined(max, lanes[0], lanes[i]);
    for (; at + 4 <= tile.columns; at += 4) lanes[0] = combined(max, lanes[0], fourAt(from + at * x.step));
    for (; at < tile.columns; at++) lanes[0][0] = combinedOne(max, lanes[0][0], from[at * x.step]);
    const Four sum = lanes[0];
    const float all = combinedOne(max, combinedOne(max, sum[0], sum[1]), combinedOne(max, sum[2], sum[3]));
    float *place = target + row * targetRow;
    *place = reduction->carried ? combinedOne(max, all, *place) : all;
  }
}

typedef struct {
  char *base;
  uint64_t bytes;
  float *scratch;
  const int32_t *bases, *steps;
  int32_t firstRow; /* position of the first row of the call in the whole batch */
} Run;

/* Where positions along a dim begin. */
static int64_t firstAlong(const Loop *loop, const Run *run, int dim) {
  return (dim == 0 ? loop->part.first : 0) + (dim >= 0 && dim == loop->batch ? run->firstRow : 0);
}

/* Where an op finds what it loads: in place when vectors may read past its rows, else copied, stretched or collected. */
static Values loaded(const Loop *loop, const Op *op, const Run *run, Tile tile, float *slot, long pitch, int64_t at) {
  const Pointer *pointer = &loop->pointer[op->which];
  const long inner = loop->dims > 0 ? pointer->dimsNow[loop->dims - 1] : 0;
  const long row = loop->dims > 1 ? pointer->dimsNow[loop->dims - 2] : 0;
    float *from = (float *)(run->base + op->address) + at;
  if (inner == 1) {
    const uint64_t end = (uint64_t)((char *)from - run->base) + ((tile.rows - 1) * row + roundUp(tile.columns, widestLanes)) * 4;
    if (!op->copy && end <= run->bytes) return (Values){from, row, 1};
    active->loops->copy(tile, (Values){slot, pitch, 1}, (Values){from, row, 1}, 1);
    return (Values){slot, pitch, 1};
  }
  if (inner == 0) {
    const long rows = row == 0 ? 1 : tile.rows;
    for (long r = 0; r < rows; r++) active->loops->fill(slot + r * widestLanes, from[r * row]);
    return (Values){slot, row == 0 ? 0 : widestLanes, 0};
  }
  for (long r = 0; r < tile.rows; r++)
    for (long j = 0; j < tile.columns; j++) slot[r * pitch + j] = from[r * row + j * inner];
  return (Values){slot, pitch, 1};
}

static void runTile(Loop *loop, const Run *run, Tile tile, int64_t firstRow, int64_t firstColumn, const int64_t *outer) {
  const LoopKernels *kernels = active->loops;
  const int last = loop->dims - 1;
  const long pitch = roundUp(tile.columns, widestLanes);
  int64_t offsets[loop->pointers + 1];
  for (int p = 0; p < loop->pointers; p++) {
    const Pointer *pointer = &loop->pointer[p];
    offsets[p] = pointer->offset;
    if (last >= 0) offsets[p] += firstColumn * pointer->dimsNow[last];
    if (last >= 1) offsets[p] += firstRow * pointer->dimsNow[last - 1];
  }
  for (int i = 0; i < loop->ops; i++) {
    Op *op = &loop->op[i];
    float *slot = run->scratch + (long)op->slot * tileLimit;
    Values to = {slot, pitch, 1};
    if (op->store >= 0 && tile.columns % widestLanes == 0) {
      const Pointer *pointer = &loop->pointer[loop->store[op->store].pointer];
      if (last < 0 || pointer->dimsNow[last] == 1)
        to = (Values){(float *)(run->base + loop->store[op->store].address) + offsets[loop->store[op->store].pointer],
                      last >= 1 ? pointer->dimsNow[last - 1] : 0, 1};
    }
    switch (op->kind) {
      case loadOp:
        op->now = loaded(loop, op, run, tile, slot, pitch, offsets[op->which]);
        continue;
      case literalOp:
      case stepOp:
        op->now = (Values){loop->constants + i * widestLanes, 0, 0};
        continue;
      case positionOp: {
        const int dim = op->which;
        const int64_t shift = firstAlong(loop, run, dim);
        if (dim == last && dim >= 0) {
          for (long j = 0; j < tile.columns; j++) slot[j] = (float)(int32_t)(shift + firstColumn + j);
          op->now = (Values){slot, 0, 1};
        } else if (dim == last - 1 && dim >= 0) {
          for (long r = 0; r < tile.rows; r++) kernels->fill(slot + r * widestLanes, (float)(int32_t)(shift + firstRow + r));
          op->now = (Values){slot, widestLanes, 0};
        } else {
          kernels->fill(slot, dim < 0 ? 0 : (float)(int32_t)(shift + outer[dim]));
          op->now = (Values){slot, 0, 0};
        }
        continue;
      }
      case randomOp: {
        Position positions[mostHashed];
        for (int j = 0; j < op->count; j++) {
          const int dim = op->hashed[j];
          if (dim <= -2) positions[j] = (Position){(uint32_t)run->steps[-2 - dim], 0, 0};
          else if (dim < 0) positions[j] = (Position){0, 0, 0};
          else if (dim == last) positions[j] = (Position){(uint32_t)firstColumn, 0, 1};
          else if (dim == last - 1) positions[j] = (Position){(uint32_t)firstRow, 1, 0};
          else positions[j] = (Position){(uint32_t)outer[dim], 0, 0};
          positions[j].first += (uint32_t)firstAlong(loop, run, dim);
        }
        kernels->random(tile, to, loop->op[op->a].now, op->stream, positions, op->count);
        break;
      }
      case unaryOp: {
        const Values a = loop->op[op->a].now;
        if (op->terms == 1) kernels->unary[op->which](tile, to, a);
        else if (op->terms == 2) kernels->unaryOfTwo[op->which](tile, to, a, loop->op[op->b].now);
        else kernels->unaryOfThree[op->which](tile, to, a, loop->op[op->b].now, loop->op[op->c].now);
        break;
      }
      case binaryOp:
        if (op->folded) continue;
        kernels->binary[op->which](tile, to, loop->op[op->a].now, loop->op[op->b].now);
        break;
      default:
        kernels->select(tile, to, loop->op[op->a].now, loop->op[op->b].now, loop->op[op->c].now);
    }
    op->now = to;
  }
  for (int i = 0; i < loop->stores; i++) {
    const Result *store = &loop->store[i];
    const Pointer *pointer = &loop->pointer[store->pointer];
    const long inner = last >= 0 ? pointer->dimsNow[last] : 0, row = last >= 1 ? pointer->dimsNow[last - 1] : 0;
    float *target = (float *)(run->base + store->address) + offsets[store->pointer];
    const Values from = loop->op[store->value].now;
    if (from.at == target) continue;
    if (inner == 1) kernels->copy(tile, (Values){target, row, 1}, from, tile.columns % widestLanes != 0);
    else
      for (long r = 0; r < tile.rows; r++)
        for (long j = 0; j < tile.columns; j++) target[r * row + j * inner] = from.at[r * from.row + j * from.step];
  }
  for (int i = 0; i < loop->reductions; i++) {
    Result *reduction = &loop->reduction[i];
    const Pointer *pointer = &loop->pointer[reduction->pointer];
    const long inner = last >= 0 ? pointer->dimsNow[last] : 0, row = last >= 1 ? pointer->dimsNow[last - 1] : 0;
    float *target = (float *)(run->base + reduction->address) + offsets[reduction->pointer];
    const Values from = loop->op[reduction->value].now;
    if (reduction->inRegister) reduceRows(loop, reduction, tile, firstColumn, target, row);
    else if (inner == 1 && from.step == 1) kernels->combine(tile, reduction->op, target, row, from);
    else
      for (long r = 0; r < tile.rows; r++)
        for (long j = 0; j < tile.columns; j++) {
          float *place = target + r * row + j * inner;
          const float value = from.at[r * from.row + j * from.step];
          *place = combinedOne(reduction->op == 1, *place, value);
        }
  }
}

/* A row of no elements: reductions along it still write what nothing adds up to. */
static void finishEmpty(Loop *loop, const Run *run, int64_t rows) {
    for (int i = 0; i < loop->reductions; i++) {
    Result *reduction = &loop->reduction[i];
    const Pointer *pointer = &loop->pointer[reduction->pointer];
    if (!reduction->inRegister) continue;
    const long row = loop->dims >= 2 ? pointer->dimsNow[loop->dims - 2] : 0;
    loop->op[reduction->value].now = (Values){run->scratch, 0, 0};
    reduceRows(loop, reduction, (Tile){rows, 0}, 0, (float *)(run->base + reduction->address) + pointer->offset, row);
  }
}

#ifdef COMPILES
static void runCode(Loop *loop, const Run *run, const int64_t *outer) {
  const struct MachineCode *code = loop->code;
  char **pointers = (char **)(code->frame + pointersAt);
  uint32_t *counters = (uint32_t *)(code->frame + code->countersAt);
  for (int p = 0; p < loop->pointers; p++) pointers[p] = run->base + loop->pointer[p].offset * 4;
  for (int i = 0; i < code->counters; i++) {
    const Counter *counter = &code->counter[i];
    const int dim = counter->dim;
    uint32_t position = 0;
    if (dim <= -2) position = (uint32_t)run->steps[-2 - dim];
    else if (dim >= 0 && dim < loop->dims - 2) position = (uint32_t)outer[dim];
    position += (uint32_t)firstAlong(loop, run, dim);
    counters[i] = (position + counter->plus) * counter->scale;
  }
  code->run(code->frame);
}
#endif

static void runSlice(Loop *loop, const Run *run, int64_t *outer) {
  const int64_t columns = loop->dims >= 1 ? loop->sizeNow[loop->dims - 1] : 1;
  const int64_t rows = loop->dims >= 2 ? loop->sizeNow[loop->dims - 2] : 1;
  if (columns <= 0) {
    finishEmpty(loop, run, rows);
    return;
  }
#ifdef COMPILES
  if (loop->code != NULL) {
    runCode(loop, run, outer);
    return;
  }
#endif
  const int64_t parts = (columns + tileLimit - 1) / tileLimit;
  const int64_t wide = parts == 1 ? columns : least(tileLimit, roundUp((columns + parts - 1) / parts, widestLanes));
  const int64_t tall = parts == 1 ? tileLimit / roundUp(columns, widestLanes) : 1;
  for (int64_t row = 0; row < rows; row += tall)
    for (int64_t column = 0; column < columns; column += wide)
      runTile(loop, run, (Tile){least(tall, rows - row), least(wide, columns - column)}, row, column, outer);
}

/* Whether all that this run reads and writes through a pointer lies within the memory; without columns only reductions do. */
static int inside(const Run *run, const Pointer *pointer, int empty) {
  const uint64_t end = (uint64_t)(pointer->offset + pointer->reach + 1) * 4;
  const int moves = pointer->moves && !empty;
  if (!moves && !pointer->sums) return 1;
  return pointer->offset >= 0 && !pointer->misaligned && (!moves || pointer->highest + end <= run->bytes) &&
         (!pointer->sums || pointer->highestSum + end <= run->bytes);
}

static int hasRows(const Loop *loop) {
  for (int d = 0; d < loop->dims - 1; d++)
    if (loop->sizeNow[d] <= 0) return 0;
  return 1;
}

/* Strides, extents and addresses of a run. Returns what is wrong, or NULL. */
static const char *place(Loop *loop, const Run *run, const int32_t *sizes, Part part) {
  if (!isPrepared(loop, sizes, part)) {
    const char *problem = prepare(loop, sizes, part);
    if (problem != NULL) return problem;
  }
  if (!hasRows(loop)) return NULL;
  static const char outside[] = "@recurra/native: a loop reaches outside the memory (after growing it, call rebind)";
  const int empty = loop->dims > 0 && loop->sizeNow[loop->dims - 1] <= 0;
  for (int p = 0; p < loop->pointers; p++) {
    Pointer *pointer = &loop->pointer[p];
    pointer->offset = pointer->startNow;
    if (pointer->base > 0) {
      const uint32_t base = (uint32_t)run->bases[pointer->base - 1];
      if ((base & 3) != 0) return outside;
      pointer->offset += base / 4;
    }
    for (int t = 0; t < loop->steps; t++) pointer->offset += run->steps[t] * pointer->stepsNow[t];
    if (!inside(run, pointer, empty)) return outside;
  }
  return NULL;
}

static const char *runLoop(Loop *loop, const Run *run, const int32_t *sizes, Part part) {
  const char *problem = place(loop, run, sizes, part);
  if (problem != NULL || !hasRows(loop)) return problem;
#ifdef COMPILES
  if (loop->code != NULL) {
    for (int t = 0; t < loop->steps; t++) ((float *)(loop->code->frame + loop->code->stepsAt))[t] = (float)run->steps[t];
  } else
#endif
    for (int i = 0; i < loop->ops; i++) {
      const Op *op = &loop->op[i];
      if (op->kind == stepOp) active->loops->fill(loop->constants + i * widestLanes, (float)run->steps[op->which]);
    }

  int64_t outer[mostDims] = {0};
  const int nested = loop->dims - 2;
  if (nested <= 0) {
    runSlice(loop, run, outer);
    return NULL;
  }
  for (;;) {
    runSlice(loop, run, outer);
    int d = nested - 1;
    for (; d >= 0; d--) {
      for (int p = 0; p < loop->pointers; p++) loop->pointer[p].offset += loop->pointer[p].dimsNow[d];
      if (++outer[d] < loop->sizeNow[d]) break;
      for (int p = 0; p < loop->pointers; p++) loop->pointer[p].offset -= outer[d] * loop->pointer[p].dimsNow[d];
      outer[d] = 0;
    }
    if (d < 0) return NULL;
  }
}
