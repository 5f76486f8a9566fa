/*
 * Fused loops as machine code: all values of sixteen elements of a row stay in registers from the loads to the stores, and the
 * rest of a row goes with a mask. A loop becomes steps over values (what each op is in instructions), the values get registers in
 * the order of the steps, and code is written on the way. It computes what the interpreter computes, in the same order.
 *
 * Code is written into plain memory; `seal` copies it to pages that are then made executable and no longer writable.
 */
#include "assembler.h"
#include "loopSteps.h"

/* ---- registers ----------------------------------------------------------------------------------------------------------- */

/* Pointers have these, then the frame. */
static const int pointerRegisters[] = {8, 9, 10, 11, 3, 5, 12, 13, 14, 15};
enum { pointerRegisterCount = sizeof pointerRegisters / sizeof *pointerRegisters, savedFrom = 4 };

typedef struct {
  Body *body;
  Assembler *out;
  struct MachineCode *code;
  int holds[vectorRegisters]; /* a value, or none */
  int registers;              /* that values may have */
  uint32_t pinned;
  int slots;
} Allocation;

static Operand inVector(int reg) { return (Operand){1, reg, 0, 0, 0}; }

static Operand operandAt(Assembler *out, Place place) {
  if (place.kind == inPool) return (Operand){0, pool, 0, place.spreads, place.at};
  if (place.kind == inFrame) return (Operand){0, rdi, 0, place.spreads, place.at};
  int base = rax;
  if (place.pointer < pointerRegisterCount) base = pointerRegisters[place.pointer];
  else loadWide(out, rax, pointersAt + 8 * place.pointer);
  return (Operand){0, base, place.indexed, place.spreads, place.at};
}

static void loadFrom(Assembler *out, int reg, Place place) {
  Operand from = operandAt(out, place);
  const int whole = !from.spreads;
  from.spreads = 0;
  vector(out, whole ? loadVector : spread, (Lanes){.mask = place.partial, .zeroes = place.partial}, reg, 0, from, -1);
}

static Place slotOf(Allocation *at, Value *value) {
  if (value->slot == none) value->slot = at->slots++;
  if (at->slots > at->code->spills) at->code->spills = at->slots;
  return (Place){.kind = inFrame, .at = at->code->spillsAt + vectorBytes * value->slot};
}

/* A register for a value; the one that is read last makes room. */
static int take(Allocation *at, int value) {
  int found = none, farthest = -1;
  for (int reg = scratchRegisters; reg < at->registers; reg++) {
    if (at->pinned >> reg & 1) continue;
    if (at->holds[reg] == none) {
      found = reg;
      break;
    }
    const int next = at->body->values[at->holds[reg]].next;
    if (next > farthest) {
      farthest = next;
      found = reg;
    }
  }
  if (at->holds[found] != none) {
    Value *leaves = &at->body->values[at->holds[found]];
    if (!leaves->hasHome && leaves->slot == none)
      vector(at->out, storeVector, (Lanes){0}, found, 0, operandAt(at->out, slotOf(at, leaves)), -1);
    leaves->reg = none;
  }
  at->holds[found] = value;
  at->body->values[value].reg = found;
  at->pinned |= 1u << found;
  return found;
}

static Place standsAt(Allocation *at, Value *value) { return value->slot != none ? slotOf(at, value) : value->home; }

static int registerOf(Allocation *at, int number) {
  Value *value = &at->body->values[number];
  if (value->reg == none) {
    const Place place = standsAt(at, value);
    loadFrom(at->out, take(at, number), place);
  }
  at->pinned |= 1u << value->reg;
  return value->reg;
}

/* Whether an instruction may read the value where it stands, instead of from a register. */
static int isReadInPlace(Allocation *at, int number, int next) {
  const Value *value = &at->body->values[number];
  if (value->reg != none) return 0;
  if (value->slot != none) return next == never;
  return value->home.spreads || (next == never && !value->home.partial);
}

/* The value has been read by a step; after its last one the register is free. */
static void leave(Allocation *at, int number, int next) {
  Value *value = &at->body->values[number];
  value->next = next;
  if (next != never || value->fixed != none || value->reg == none) return;
  at->holds[value->reg] = none;
  value->reg = none;
}

static int commutes(int instruction) {
  return instruction == addFloats || instruction == multiplyFloats || instruction == andBits || instruction == xorBits ||
         instruction == addInts || instruction == multiplyInts;
}

/* Four lanes of a sum: more by x, or the larger of both; for max register 1 is lost. */
static void accumulate(Assembler *out, int max, int sum, Operand x) {
  const Lanes four = {.four = 1};
  if (!max) {
    vector(out, addFloats, four, sum, sum, x, -1);
    return;
  }
  vector(out, rangeFloats, four, 1, sum, x, higherOfTwo);
  vector(out, compareFloats, four, 2, sum, x, isUnordered);
  vector(out, addFloats, (Lanes){.four = 1, .mask = 2}, 1, sum, x, -1);
  vector(out, moveVector, four, sum, 0, inVector(1), -1);
}

/* The rest of a row: whole fours, then one after the other in the first lane. */
static void writeRest(Allocation *at, const Step *step, int x) {
  Assembler *out = at->out;
  const int max = step->immediate == 1, sum = at->body->values[step->to].reg;
  const Place slot = {.kind = inFrame, .at = at->code->spillsAt};
  size_t short_[3], done[3];
  vector(out, storeVector, (Lanes){0}, x, 0, operandAt(out, slot), -1);
  for (int i = 0; i < 3; i++) {
    compareWord(out, restAt, 4 * (i + 1));
    short_[i] = jumpOn(out, ifLess);
    vector(out, takeFour, (Lanes){0}, x, 0, inVector(0), i);
    accumulate(out, max, sum, inVector(0));
  }
  for (int i = 0; i < 3; i++) land(out, short_[i]);
  for (int i = 0; i < 3; i++) {
    compareWord(out, singlesAt, i + 1);
    done[i] = jumpOn(out, ifLess);
    loadWide(out, rax, restFoursAt);
    PUT(out, 0x48, 0x01, 0xf8); /* rax += rdi */
    const Operand one = {0, rax, 0, 0, slot.at + 4 * i};
    if (max) {
      vector(out, loadOne, (Lanes){.four = 1}, 0, 0, one, -1);
      vector(out, loadOne, (Lanes){.four = 1}, 0, sum, inVector(0), -1);
      accumulate(out, 1, sum, inVector(0));
    } else {
      vector(out, addOne, (Lanes){.four = 1}, sum, sum, one, -1);
    }
  }
  for (int i = 0; i < 3; i++) land(out, done[i]);
}

static void writeStep(Allocation *at, const Step *given) {
  Assembler *out = at->out;
  Value *values = at->body->values;
  Step step = *given;
  at->pinned = 0;
  if (step.form == computes && step.a >= 0 && step.b >= 0 && step.over < 0 && commutes(step.instruction) &&
      isReadInPlace(at, step.a, step.next[1]) && !isReadInPlace(at, step.b, step.next[2])) {
    step.a = given->b, step.next[1] = given->next[2];
    step.b = given->a, step.next[2] = given->next[1];
  }
  const int a = step.a >= 0 ? registerOf(at, step.a) : 0;
  const int over = step.over >= 0 ? registerOf(at, step.over) : none;
  Operand b = inVector(0);
  if (step.b >= 0) {
    if (isReadInPlace(at, step.b, step.next[2]) && step.instruction != moveVector) b = operandAt(out, standsAt(at, &values[step.b]));
    else b = inVector(registerOf(at, step.b));
  }
  if (step.a >= 0) leave(at, step.a, step.next[1]);
  if (step.b >= 0) leave(at, step.b, step.next[2]);
  if (step.over >= 0) leave(at, step.over, step.next[3]);
  int to = none;
  if (step.form != compares && step.form != writes) {
    if (over != none) {
      to = over;
      at->holds[to] = step.to;
      values[step.to].reg = to;
    } else {
      at->pinned = 0;
      to = values[step.to].fixed != none ? values[step.to].fixed : take(at, step.to);
    }
  }
  switch (step.form) {
    case computes: vector(out, step.instruction, step.lanes, to, a, b, step.immediate); break;
    case compares: vector(out, step.instruction, step.lanes, step.to, a, b, step.immediate); break;
    case shifts: vector(out, step.instruction, step.lanes, step.place.at, to, b, step.immediate); break;
    case reads: loadFrom(out, to, step.place); break;
    case writes: vector(out, step.instruction, (Lanes){.mask = step.place.partial}, a, 0, operandAt(out, step.place), -1); break;
    case spreadsColumn:
      PUT(out, 0x89, 0xc8, 0xc1, 0xe8, 2); /* eax = ecx / 4 */
      vector(out, step.instruction, step.lanes, to, 0, inVector(rax), -1);
      break;
    case addsRest: writeRest(at, &step, a); break;
  }
  if (to != none) leave(at, step.to, step.next[0]);
}

static void writeBody(Body *body, int sums) {
  Allocation at = {body, body->assembler, body->code, {0}, vectorRegisters - sums, 0, 1};
  for (int i = 0; i < vectorRegisters; i++) at.holds[i] = none;
  findNext(body);
  for (int s = 0; s < body->stepCount && !body->assembler->failed; s++) writeStep(&at, &body->steps[s]);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------- */

static int constantWord(Assembler *out, float x) {
  uint32_t word;
  memcpy(&word, &x, sizeof word);
  return poolConstants(out, &word, 1);
}

/* Sixteen lanes become four, one four after the other, where there was a whole vector. */
static void foldLanes(const Body *body, int sums) {
  const Loop *loop = body->loop;
  Assembler *out = body->assembler;
  const int all = scratchRegisters; /* no value is in a register now */
  if (sums == 0) return;
  PUT(out, 0x48, 0x85, 0xf6); /* whether rsi is 0 */
  const size_t noVector = jumpOn(out, ifZero);
  for (int i = 0, sum = 0; i < loop->reductions; i++) {
    if (!loop->reduction[i].inRegister) continue;
    const int reg = sumRegister(sum++);
    vector(out, moveVector, (Lanes){0}, all, 0, inVector(reg), -1);
    for (int part = 1; part < 4; part++) {
      vector(out, takeFour, (Lanes){0}, all, 0, inVector(0), part);
      accumulate(out, loop->reduction[i].op == 1, reg, inVector(0));
    }
  }
  land(out, noVector);
}

/* (0 + 1) + (2 + 3), or the largest of the four, and what the target has. */
static void writeSum(const Body *body, const Result *reduction, int sum) {
  Assembler *out = body->assembler;
  const int max = reduction->op == 1;
  const Operand target = operandAt(out, placeOf(body, reduction->pointer, reduction->address));
  vector(out, swapLanes, (Lanes){.four = 1}, 0, 0, inVector(sum), 0xb1);
  accumulate(out, max, sum, inVector(0));
  vector(out, swapLanes, (Lanes){.four = 1}, 0, 0, inVector(sum), 0x4e);
  accumulate(out, max, sum, inVector(0));
  if (reduction->carried) {
    vector(out, loadOne, (Lanes){.four = 1}, 0, 0, target, -1);
    accumulate(out, max, sum, inVector(0));
  }
  vector(out, storeOne, (Lanes){.four = 1}, sum, 0, target, -1);
}

static int usedPointers(const Loop *loop) { return (int)least(loop->pointers, pointerRegisterCount); }

/* Vectors, as many as the body has at once, up to rsi. */
static void writeColumns(Body *body, int sums, int vectors) {
  Assembler *out = body->assembler;
  PUT(out, 0x48, 0x39, 0xf1); /* rcx against rsi */
  const size_t noVector = jumpOn(out, ifNotBelow);
  const size_t column = out->length;
  writeBody(body, sums);
  PUT(out, 0x48, 0x81, 0xc1); /* rcx += … */
  putWord(out, vectors * vectorBytes);
  PUT(out, 0x48, 0x39, 0xf1);
  jumpBack(out, ifBelow, column);
  land(out, noVector);
}

static void writeRows(Body *pair, Body *whole, Body *rest) {
  const Loop *loop = whole->loop;
  struct MachineCode *code = whole->code;
  Assembler *out = whole->assembler;
  const int pointers = usedPointers(loop);
  for (int p = savedFrom; p < pointers; p++) push(out, pointerRegisters[p]);
  for (int p = 0; p < pointers; p++) loadWide(out, pointerRegisters[p], pointersAt + 8 * p);
  loadWide(out, rdx, rowsAt);
  loadWide(out, rsi, wholeAt);
  loadMask(out, restMaskAt);

  const size_t row = out->length;
  int sums = 0;
  for (int i = 0; i < loop->reductions; i++) {
    if (!loop->reduction[i].inRegister) continue;
    const Operand nothing = {0, pool, 0, 0, constantWord(out, loop->reduction[i].op == 1 ? -__builtin_inff() : 0)};
    vector(out, spread, (Lanes){0}, sumRegister(sums++), 0, nothing, -1);
  }
  PUT(out, 0x31, 0xc9); /* ecx = 0 */
  if (pair->now != NULL) {
    loadWide(out, rsi, pairsAt);
    writeColumns(pair, sums, 2);
    loadWide(out, rsi, wholeAt);
  }
  writeColumns(whole, sums, 1);
  foldLanes(whole, sums);

  compareWord(out, restAt, 0);
  const size_t noRest = jumpOn(out, ifZero);
  writeBody(rest, sums);
  land(out, noRest);

  sums = 0;
  for (int i = 0; i < loop->reductions; i++)
    if (loop->reduction[i].inRegister) writeSum(whole, &loop->reduction[i], sumRegister(sums++));
  for (int p = 0; p < pointers; p++) addWide(out, pointerRegisters[p], code->stridesAt + 8 * p);
  for (int p = pointers; p < loop->pointers; p++) {
    loadWide(out, rax, code->stridesAt + 8 * p);
    addToMemory(out, pointersAt + 8 * p, rax);
  }
  for (int i = 0; i < code->counters; i++)
    if (loop->dims >= 2 && code->counter[i].dim == loop->dims - 2) addWord(out, code->countersAt + 4 * i, (int32_t)code->counter[i].scale);
  PUT(out, 0x48, 0xff, 0xca); /* rdx less 1 */
  jumpBack(out, ifNotZero, row);

  for (int p = pointers - 1; p >= savedFrom; p--) pop(out, pointerRegisters[p]);
  PUT(out, 0xc5, 0xf8, 0x77, 0xc3); /* vzeroupper, return */
}

/* ---- loops --------------------------------------------------------------------------------------------------------------- */

/* Whether all that the loop reads and writes lies along a row, or at one place of it. */
static int isCompiled(const Loop *loop) {
  const int one = loop->dims == 0 || (loop->size[loop->dims - 1].count == 0 && loop->size[loop->dims - 1].coefficient == 1);
  int sums = 0;
  for (int i = 0; i < loop->ops; i++)
    if (loop->op[i].kind == loadOp && (strideOf(loop, loop->op[i].which) == none || loop->op[i].address > INT32_MAX)) return 0;
  for (int i = 0; i < loop->stores; i++) {
    const int stride = strideOf(loop, loop->store[i].pointer);
    if (!(stride == 1 || (stride == 0 && one)) || loop->store[i].address > INT32_MAX) return 0;
  }
  for (int i = 0; i < loop->reductions; i++) {
    const Result *reduction = &loop->reduction[i];
    if (strideOf(loop, reduction->pointer) != !reduction->inRegister || reduction->address > INT32_MAX) return 0;
    sums += reduction->inRegister != 0;
  }
  return sums <= mostSums && loop->inLanes;
}

static void freeBody(Body *body) {
  free(body->values);
  free(body->steps);
  free(body->constants);
  free(body->now);
}

/* The code of a loop, or NULL where it stays with the interpreter. */
static struct MachineCode *compileLoop(const Loop *loop) {
  if (!isCompiled(loop)) return NULL;
  struct MachineCode *code = calloc(1, sizeof *code);
  if (code == NULL) return NULL;
  code->stridesAt = pointersAt + 8 * loop->pointers;
  code->stepsAt = code->stridesAt + 8 * loop->pointers;
  code->countersAt = code->stepsAt + 4 * loop->steps;
  code->spills = 1;
  Assembler out = {0};
  Body bodies[3];
  int failed = 0;
  const int vectors[] = {hasLongChains(loop) ? 2 : 0, 1, 1};
  for (int i = 0; i < 3; i++) {
    bodies[i] = (Body){.loop = loop, .code = code, .assembler = &out, .partial = i == 2, .mask = 7};
    if (vectors[i] == 0) continue;
    bodies[i].now = malloc((vectors[i] * loop->ops + 1) * sizeof(int));
    if (bodies[i].now == NULL) failed = 1;
    else bodySteps(&bodies[i], vectors[i]);
    failed |= bodies[i].failed;
  }
  code->spillsAt = (int)roundUp(code->countersAt + 4 * code->counters, vectorBytes);
  if (!failed) {
    writeRows(&bodies[0], &bodies[1], &bodies[2]);
    finishCode(&out);
    code->frame = aligned_alloc(vectorBytes, code->spillsAt + vectorBytes * code->spills);
  }
  for (int i = 0; i < 3; i++) freeBody(&bodies[i]);
  if (failed || out.failed || code->frame == NULL) {
    freeAssembler(&out);
    freeMachineCode(code);
    return NULL;
  }
  code->bytes = out.bytes;
  code->length = out.length;
  out.bytes = NULL;
  freeAssembler(&out);
  return code;
}

/* ---- executable memory --------------------------------------------------------------------------------------------------- */

typedef struct Pages {
  void *start;
  size_t length;
  struct Pages *next;
} Pages;

static void freePages(Pages *pages) {
  while (pages != NULL) {
    Pages *next = pages->next;
    munmap(pages->start, pages->length);
    free(pages);
    pages = next;
  }
}

/* Executable pages with a copy of `bytes`, or NULL where the system refuses. They are never writable at the same time. */
static Pages *executablePages(size_t length) {
  Pages *pages = malloc(sizeof *pages);
  if (pages == NULL) return NULL;
  void *start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) {
    free(pages);
    return NULL;
  }
  *pages = (Pages){start, length, NULL};
  return pages;
}

static int makeExecutable(const Pages *pages) { return mprotect(pages->start, pages->length, PROT_READ | PROT_EXEC) == 0; }

/* Whether this system lets a process run what it has written: tried once, with a function that returns. */
static int mayCompile(void) {
  static int known = -1;
  if (known >= 0) return known;
  known = 0;
  Pages *pages = executablePages(4096);
  if (pages == NULL) return known;
  *(uint8_t *)pages->start = 0xc3;
  known = makeExecutable(pages);
  freePages(pages);
  return known;
}

static struct MachineCode *codeOf(const Loop *loop) { return loop == NULL ? NULL : loop->code; }

/* Moves the code of loops that have not run yet to pages of their own, all together; where that fails they are interpreted. */
static void seal(Loop **loops, int count, Pages **all) {
  size_t length = 0;
  for (int i = 0; i < count; i++)
    if (codeOf(loops[i]) != NULL) length += roundUp(loops[i]->code->length, vectorBytes);
  if (length == 0) return;
  Pages *pages = executablePages(length);
  char *to = pages == NULL ? NULL : pages->start;
  for (int i = 0; i < count && pages != NULL; i++) {
    struct MachineCode *code = codeOf(loops[i]);
    if (code == NULL) continue;
    memcpy(to, code->bytes, code->length);
    code->run = (void (*)(void *))to;
    to += roundUp(code->length, vectorBytes);
    free(code->bytes);
    code->bytes = NULL;
  }
  if (pages != NULL && makeExecutable(pages)) {
    pages->next = *all;
    *all = pages;
    return;
  }
  freePages(pages);
  for (int i = 0; i < count; i++) {
    if (loops[i] == NULL) continue;
    freeMachineCode(loops[i]->code);
    loops[i]->code = NULL;
  }
}
