/*
 * Loops that follow each other over more than the second-level cache holds run block by block of their outermost dimensions, so that
 * each finds in the cache what the one before has just read or written. The blocks of a loop keep their order, and rows are never
 * cut: the bits are those of whole loops.
 */

enum { mostTogether = 8, mostTouched = 24, largeReach = 1 << 20, blockBytes = 1 << 18 };

/* What a loop reads or writes through one pointer: bytes of the memory in the first unit, and from unit to unit. */
typedef struct {
  int64_t first, end, step;
  int written;
} Touched;

/* A loop of several: a unit is so many positions of its outermost dimension. */
typedef struct {
  Loop *loop;
  int64_t each, bytes; /* of a unit */
  int count;
  Touched touched[mostTouched];
} Member;

static void touch(Member *member, int which, uint32_t address, int written) {
  const Pointer *pointer = &member->loop->pointer[which];
  const int64_t stride = pointer->dimsNow[0], step = member->each * stride;
  const int64_t reach = pointer->reach - (member->loop->sizeNow[0] - member->each) * stride;
  const int64_t first = address + pointer->offset * 4;
  if (member->bytes < step * 4) member->bytes = step * 4;
  if (member->count < mostTouched) member->touched[member->count] = (Touched){first, first + (reach + 1) * 4, step * 4, written};
  member->count++;
}

/* A prepared and placed loop in so many units; whether it can be cut into them. */
static int cutInto(Member *member, Loop *loop, int64_t units) {
  if (loop->dims == 0 || loop->sizeNow[0] % units != 0) return 0;
  *member = (Member){.loop = loop, .each = loop->sizeNow[0] / units};
  for (int i = 0; i < loop->ops; i++)
    if (loop->op[i].kind == loadOp) touch(member, loop->op[i].which, loop->op[i].address, 0);
  for (int i = 0; i < loop->stores; i++) touch(member, loop->store[i].pointer, loop->store[i].address, 1);
  for (int i = 0; i < loop->reductions; i++) {
    if (loop->dims == 1) return 0;
    touch(member, loop->reduction[i].pointer, loop->reduction[i].address, 1);
  }
  return member->count <= mostTouched;
}

/* Whether no unit of `after` meets a later unit of `before`, which it would then precede. */
static int mayAlternate(const Member *before, const Member *after, int64_t units) {
  for (int i = 0; i < before->count; i++)
    for (int j = 0; j < after->count; j++) {
      const Touched *a = &before->touched[i], *b = &after->touched[j];
      if (!a->written && !b->written) continue;
      if (a->end + (units - 1) * a->step <= b->first || b->end + (units - 1) * b->step <= a->first) continue;
      if (a->step != b->step || a->first + a->step < b->end) return 0;
    }
  return 1;
}

/* Whether a loop with the sizes of this run goes through more than the cache holds. */
static int isLarge(const Loop *loop) {
  for (int p = 0; p < loop->pointers; p++)
    if (loop->pointer[p].reach * 4 > largeReach) return 1;
  return 0;
}

/* How many of these loops, from the first on, may run in turns, and as what; `problem` says what is wrong with one. */
static int membersOf(Loop **loops, int count, const Run *run, const int32_t *sizes, Member *members, const char **problem) {
  const Part all = {0, -1};
  int found = 0, together = 0;
  int64_t units = INT64_MAX;
  for (; found < count && found < mostTogether; found++) {
    Loop *loop = loops[found];
    if (loop == NULL || loop->dims == 0) break;
    if (loop->axes != loops[0]->axes || loop->bases != loops[0]->bases || loop->steps != loops[0]->steps) break;
    *problem = place(loop, run, sizes, all);
    if (*problem != NULL || (found == 0 && !isLarge(loop))) return 0;
    if (!hasRows(loop)) break;
    Member candidates[mostTogether];
    int fits = 1;
    if (loop->sizeNow[0] < units) units = loop->sizeNow[0];
    for (int i = 0; i <= found && fits; i++) fits = units > 1 && cutInto(&candidates[i], loops[i], units);
    for (int i = 0; i < found && fits; i++) fits = mayAlternate(&candidates[i], &candidates[found], units);
    if (!fits) break;
    memcpy(members, candidates, (found + 1) * sizeof *members);
    if (found > 0 && isLarge(loop)) together = found + 1;
  }
  return together;
}

/* Runs the first of these loops, or as many as go through the memory together. Returns how many; 0 where something is wrong. */
static int runSome(Loop **loops, int count, const Run *run, const int32_t *sizes, const char **problem) {
  const Part all = {0, -1};
  Member members[mostTogether];
  int together = 0;
  if (count > 1 && !(isPrepared(loops[0], sizes, all) && !isLarge(loops[0])))
    together = membersOf(loops, count, run, sizes, members, problem);
  if (together == 0 && *problem == NULL) {
    *problem = runLoop(loops[0], run, sizes, all);
    together = 1;
  } else if (*problem == NULL) {
    const int64_t units = members[0].loop->sizeNow[0] / members[0].each;
    int64_t bytes = 1;
    for (int i = 0; i < together; i++)
      if (bytes < members[i].bytes) bytes = members[i].bytes;
    const int64_t step = bytes < blockBytes ? blockBytes / bytes : 1;
    for (int64_t unit = 0; unit < units; unit += step)
      for (int i = 0; i < together && *problem == NULL; i++) {
        const int64_t each = members[i].each;
        const Part part = {(int32_t)(unit * each), (int32_t)(least(step, units - unit) * each)};
        *problem = runLoop(members[i].loop, run, sizes, part);
      }
  }
  return *problem == NULL ? together : 0;
}
