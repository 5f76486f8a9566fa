/*
 * A fused loop as steps over values: what each op is in instructions, for a vector of sixteen elements of a row, for two vectors
 * side by side, and for the rest of a row. The formulas and their order are those of the interpreter.
 */

enum { never = INT32_MAX, none = -1, vectorRegisters = 32, scratchRegisters = 2, mostSums = 12, vectorBytes = 64 };
enum { mostScheduled = 1024, keptFree = 4 }; /* steps that are ordered anew; registers that nothing waits in meanwhile */

/* ---- what the code reads besides the memory ------------------------------------------------------------------------------- */

/*
 * The frame, at rdi: what changes from run to run. Behind it, for each pointer, where it is and how far apart its rows are;
 * enclosing steps as floats; counters; values that find no register.
 */
enum {
  rowsAt = 0,
  wholeAt = 8,      /* bytes of a row that are whole vectors */
  restFoursAt = 16, /* bytes of the rest that are whole fours */
  restAt = 24,      /* elements of the rest */
  singlesAt = 28,   /* elements behind the last whole four */
  restMaskAt = 32,
  pairsAt = 40, /* bytes of a row that are whole pairs of vectors */
  pointersAt = 64,
};

/* A whole number that a row has: (position + plus) · scale. The position is that along a dim, as those of `Op.hashed`. */
typedef struct {
  int dim;
  uint32_t plus, scale;
} Counter;

struct MachineCode {
  uint8_t *bytes; /* until they are sealed */
  size_t length;
  void (*run)(void *frame);
  char *frame;
  int stridesAt, stepsAt, countersAt, spillsAt, spills;
  Counter *counter;
  int counters, counterLimit;
};

static void freeMachineCode(struct MachineCode *code) {
  if (code == NULL) return;
  free(code->bytes);
  free(code->frame);
  free(code->counter);
  free(code);
}

/* ---- steps --------------------------------------------------------------------------------------------------------------- */

/* Memory that a step reads or writes. */
typedef struct {
  enum { inPool, inFrame, atPointer } kind;
  int pointer, indexed, spreads;
  int partial; /* in the rest of a row: only what lies within the columns */
  int32_t at;
} Place;

typedef struct {
  int hasHome, fixed; /* fixed: in this register all the time, or none */
  Place home;         /* where it can be read again and again */
  int reg, slot, next;
} Value;

typedef struct {
  enum { computes, compares, shifts, reads, writes, spreadsColumn, addsRest } form;
  int instruction, immediate;
  int to, a, b, over; /* over: whose register `to` takes, where the step leaves some of its lanes as they are */
  Place place;
  Lanes lanes;
  int next[4]; /* the steps that read to, a, b and over after this one */
} Step;

/* The steps of one pass over a row. */
typedef struct {
  const Loop *loop;
  struct MachineCode *code;
  Assembler *assembler;
  Value *values;
  int valueCount, valueLimit;
  Step *steps;
  int stepCount, stepLimit;
  int *constants; /* the value of each constant of the assembler, or none */
  int constantCount, constantLimit;
  int *now;  /* the value of each op */
  int shift; /* bytes from the vector of rcx to the one that the steps are for */
  int partial, mask, failed;
} Body;

static int newValue(Body *body) {
  if (!grow((void **)&body->values, body->valueCount, &body->valueLimit, sizeof *body->values)) {
    body->failed = 1;
    return 0;
  }
  body->values[body->valueCount] = (Value){.fixed = none, .reg = none, .slot = none};
  return body->valueCount++;
}

static int valueAt(Body *body, Place place) {
  const int value = newValue(body);
  if (body->failed) return value;
  body->values[value].hasHome = 1;
  body->values[value].home = place;
  return value;
}

static void addStep(Body *body, Step step) {
  if (!grow((void **)&body->steps, body->stepCount, &body->stepLimit, sizeof *body->steps)) body->failed = 1;
  else body->steps[body->stepCount++] = step;
}

static int bits(Body *body, uint32_t word) {
  const int constant = poolConstants(body->assembler, &word, 1);
  while (body->constantCount <= constant) {
    if (!grow((void **)&body->constants, body->constantCount, &body->constantLimit, sizeof *body->constants)) {
      body->failed = 1;
      return 0;
    }
    body->constants[body->constantCount++] = none;
  }
  if (body->constants[constant] == none)
    body->constants[constant] = valueAt(body, (Place){.kind = inPool, .at = constant, .spreads = 1});
  return body->constants[constant];
}

static int number_(Body *body, float x) {
  uint32_t word;
  memcpy(&word, &x, sizeof word);
  return bits(body, word);
}

static int computeWith(Body *body, int instruction, Lanes lanes, int a, int b, int immediate, int over) {
  const int to = newValue(body);
  addStep(body, (Step){computes, instruction, immediate, to, a, b, over, {0}, lanes, {0}});
  return to;
}

static int compute(Body *body, int instruction, int a, int b) { return computeWith(body, instruction, (Lanes){0}, a, b, -1, none); }
static int add(Body *body, int a, int b) { return compute(body, addFloats, a, b); }
static int sub(Body *body, int a, int b) { return compute(body, subtractFloats, a, b); }
static int mul(Body *body, int a, int b) { return compute(body, multiplyFloats, a, b); }

static int shift(Body *body, int direction, int x, int by) {
  const int to = newValue(body);
  addStep(body, (Step){shifts, shiftInts, by, to, none, x, none, {.at = direction}, {0}, {0}});
  return to;
}

static int round_(Body *body, int x, int mode) { return computeWith(body, roundFloats, (Lanes){0}, none, x, mode, none); }

/* A mask register with the lanes in which the comparison holds. It is used soon: few of them are in turns. */
static int compareLanes(Body *body, int instruction, int a, int b, int predicate) {
  body->mask = body->mask == 7 ? 2 : body->mask + 1;
  addStep(body, (Step){compares, instruction, predicate, body->mask, a, b, none, {0}, {0}, {0}});
  return body->mask;
}

static int compare(Body *body, int a, int b, int predicate) { return compareLanes(body, compareFloats, a, b, predicate); }

/* a op b where the mask has lanes, `over` elsewhere. */
static int within(Body *body, int mask, int instruction, int a, int b, int over) {
  return computeWith(body, instruction, (Lanes){.mask = mask}, a, b, -1, over);
}

static int blend(Body *body, int mask, int yes, int no) {
  return computeWith(body, blendFloats, (Lanes){.mask = mask}, no, yes, -1, none);
}

/* ---- ops ----------------------------------------------------------------------------------------------------------------- */

/* eˣ − 1 = 2ⁿ (q + 1) − 1; returns q, and n as a float */
static int expm1Steps(Body *body, int x, int *n) {
  *n = round_(body, mul(body, x, number_(body, log2E)), toNearest);
  x = sub(body, x, mul(body, *n, number_(body, ln2High)));
  x = sub(body, x, mul(body, *n, number_(body, ln2Low)));
  int sum = number_(body, expm1Coefficients[5]);
  for (int i = 4; i >= 0; i--) sum = add(body, mul(body, sum, x), number_(body, expm1Coefficients[i]));
  return add(body, mul(body, mul(body, sum, x), x), x);
}

/* 2ⁿ x, rounded once: the bits of a product with 2ⁿ, or with its two halves, which rounds nowhere else. */
static int scale(Body *body, int x, int n) { return compute(body, scaleFloats, x, n); }

static int negative(Body *body, int x) { return compute(body, xorBits, x, bits(body, 0x80000000u)); }

/* NaN stays NaN: the instructions return their second source then. */
static int clamp(Body *body, int x, float low, float high) {
  return compute(body, leastFloats, number_(body, high), compute(body, greatestFloats, number_(body, low), x));
}

static int expSteps(Body *body, int x) {
  int n;
  x = expm1Steps(body, clamp(body, x, -105.0f, 89.0f), &n);
  return scale(body, add(body, x, number_(body, 1)), n);
}

static int sigmoidSteps(Body *body, int x) {
  int n;
  x = expm1Steps(body, clamp(body, negative(body, x), -87.0f, 88.0f), &n);
  const int one = number_(body, 1);
  x = add(body, scale(body, add(body, x, one), n), one);
  return compute(body, divideFloats, one, x);
}

static int tanhSteps(Body *body, int x) {
  int n;
  x = expm1Steps(body, clamp(body, add(body, x, x), -18.5f, 18.5f), &n);
  const int one = number_(body, 1), power = scale(body, one, n);
  x = add(body, mul(body, power, x), sub(body, power, one));
  return compute(body, divideFloats, x, add(body, x, number_(body, 2)));
}

static int polynomialSteps(Body *body, int x, int count, const float *lowestFirst) {
  int sum = number_(body, lowestFirst[count - 1]);
  for (int i = count - 2; i >= 0; i--) sum = add(body, mul(body, sum, x), number_(body, lowestFirst[i]));
  return sum;
}

static int logSteps(Body *body, int x) {
  const int zero = number_(body, 0), smallest = number_(body, 1.17549435e-38f), infinity = number_(body, __builtin_inff());
  const int larger = mul(body, x, number_(body, 33554432.0f));
  const int scaled = blend(body, compare(body, x, smallest, isLess), larger, x);
  const int n = shift(body, shiftRight, compute(body, subtractInts, scaled, bits(body, 0x3f3504f3)), 23);
  const int f = sub(body, compute(body, subtractInts, scaled, shift(body, shiftLeft, n, 23)), number_(body, 1));
  int exponent = compute(body, intsToFloats, none, n);
  exponent = within(body, compare(body, x, smallest, isLess), subtractFloats, exponent, number_(body, 25), exponent);
  const int z = mul(body, f, f);
  int y = mul(body, mul(body, polynomialSteps(body, f, 9, logCoefficients), f), z);
  y = add(body, y, mul(body, exponent, number_(body, ln2Low)));
  y = add(body, sub(body, y, mul(body, z, number_(body, 0.5f))), f);
  y = add(body, y, mul(body, exponent, number_(body, ln2High)));
  y = blend(body, compare(body, x, zero, isEqual), number_(body, -__builtin_inff()), y);
  y = blend(body, compare(body, x, zero, isLess), number_(body, __builtin_nanf("")), y);
  y = blend(body, compare(body, x, infinity, isEqual), x, y);
  return blend(body, compare(body, x, x, isOrdered), y, x);
}

/* Towards 0; NaN gives 0, what is too large the largest. */
static int saturatedSteps(Body *body, int x) {
  int n = compute(body, truncateToInts, none, x);
  n = within(body, compare(body, x, number_(body, 2147483648.0f), isNotLess), xorBits, n, bits(body, 0xffffffffu), n);
  const int ordered = compare(body, x, x, isOrdered);
  return computeWith(body, moveVector, (Lanes){.mask = ordered, .zeroes = 1}, none, n, -1, none);
}

static int sinCosSteps(Body *body, int x, int turn) {
  const int rounded = round_(body, mul(body, x, number_(body, twoByPi)), toNearest);
  const int quadrant = compute(body, addInts, saturatedSteps(body, rounded), bits(body, (uint32_t)turn));
  int r = sub(body, x, mul(body, rounded, number_(body, 1.5703125f)));
  r = sub(body, r, mul(body, rounded, number_(body, 4.837512969970703e-4f)));
  r = sub(body, r, mul(body, rounded, number_(body, 7.549789948768648e-8f)));
  const int z = mul(body, r, r);
  const int s = add(body, mul(body, mul(body, polynomialSteps(body, z, 4, sinCoefficients), z), r), r);
  int c = mul(body, mul(body, polynomialSteps(body, z, 4, cosCoefficients), z), z);
  c = add(body, sub(body, c, mul(body, z, number_(body, 0.5f))), number_(body, 1));
  const int which = blend(body, compareLanes(body, testBits, quadrant, bits(body, 1), -1), c, s);
  return compute(body, xorBits, which, shift(body, shiftLeft, compute(body, andBits, quadrant, bits(body, 2)), 30));
}

/* x where the mask has lanes, 0 elsewhere. */
static int onlyWhere(Body *body, int mask, int x) {
  return computeWith(body, andBits, (Lanes){.mask = mask, .zeroes = 1}, x, x, -1, none);
}

static int signSteps(Body *body, int x) {
  const int zero = number_(body, 0);
  const int sign = onlyWhere(body, compare(body, x, zero, isLess), number_(body, -1));
  const int above = compare(body, x, zero, isMore), one = number_(body, 1);
  return within(body, above, andBits, one, one, sign);
}

static int isElementary(int which) { return (which >= 1 && which <= sigmoidOp) || which >= 9; }

static int unarySteps(Body *body, int which, int x) {
  switch (which) {
    case 0: return negative(body, x);
    case 1: return expSteps(body, x);
    case 2: return logSteps(body, x);
    case tanhOp: return tanhSteps(body, x);
    case sigmoidOp: return sigmoidSteps(body, x);
    case 5: return compute(body, andBits, x, bits(body, 0x7fffffff));
    case 6: return compute(body, rootFloats, none, x);
    case 7: return signSteps(body, x);
    case 8: return round_(body, x, toFloor);
    case 9: return sinCosSteps(body, x, 0);
    default: return sinCosSteps(body, x, 1);
  }
}

/* As WebAssembly has them: NaN wins, and −0 is less than +0. */
static int extremeSteps(Body *body, int which, int a, int b) {
  const int extreme = computeWith(body, rangeFloats, (Lanes){0}, a, b, which, none);
  return within(body, compare(body, a, b, isUnordered), addFloats, a, b, extreme);
}

static int binarySteps(Body *body, int which, int a, int b) {
  switch (which) {
    case addOp: return add(body, a, b);
    case 1: return sub(body, a, b);
    case 2: return mul(body, a, b);
    case 3: return compute(body, divideFloats, a, b);
    case 4: return extremeSteps(body, higherOfTwo, a, b);
    case 5: return extremeSteps(body, lowerOfTwo, a, b);
    case 6: return onlyWhere(body, compare(body, a, b, isLess), number_(body, 1));
    default: return onlyWhere(body, compare(body, a, b, isEqual), number_(body, 1));
  }
}

/* The counter's word in all lanes. */
static int counted(Body *body, Counter wanted) {
  struct MachineCode *code = body->code;
  int i = 0;
  while (i < code->counters && memcmp(&code->counter[i], &wanted, sizeof wanted) != 0) i++;
  if (i == code->counters) {
    if (!grow((void **)&code->counter, code->counters, &code->counterLimit, sizeof wanted)) {
      body->failed = 1;
      return 0;
    }
    code->counter[code->counters++] = wanted;
  }
  return valueAt(body, (Place){.kind = inFrame, .at = code->countersAt + 4 * i, .spreads = 1});
}

/* Positions along the row, more by `plus`. */
static int columnPositions(Body *body, uint32_t plus) {
  uint32_t lanes[16];
  for (uint32_t i = 0; i < 16; i++) lanes[i] = (uint32_t)body->shift / 4 + i;
  const int column = newValue(body);
  addStep(body, (Step){spreadsColumn, spreadRegister, -1, column, none, none, none, {0}, {0}, {0}});
  const int first = valueAt(body, (Place){.kind = inPool, .at = poolConstants(body->assembler, lanes, 16)});
  return compute(body, addInts, compute(body, addInts, column, first), counted(body, (Counter){body->loop->dims - 1, plus, 1}));
}

static int positionSteps(Body *body, int dim) {
  if (dim < 0) return number_(body, 0);
  const int position = dim == body->loop->dims - 1 ? columnPositions(body, 0) : counted(body, (Counter){dim, 0, 1});
  return compute(body, intsToFloats, none, position);
}

static int mixSteps(Body *body, int x) {
  x = compute(body, xorBits, x, shift(body, shiftRightLogical, x, 16));
  x = compute(body, multiplyInts, x, bits(body, 0x85ebca6bu));
  x = compute(body, xorBits, x, shift(body, shiftRightLogical, x, 13));
  x = compute(body, multiplyInts, x, bits(body, 0xc2b2ae35u));
  return compute(body, xorBits, x, shift(body, shiftRightLogical, x, 16));
}

static int randomSteps(Body *body, const Op *op, int seed) {
  const uint32_t step = 0x9e3779b1u;
  int hash = mixSteps(body, compute(body, xorBits, saturatedSteps(body, seed), bits(body, (op->stream + 1) * step)));
  for (int i = 0; i < op->count; i++) {
    const int dim = op->hashed[i];
    const int position = dim >= 0 && dim == body->loop->dims - 1
                             ? compute(body, multiplyInts, columnPositions(body, 1), bits(body, step))
                             : counted(body, (Counter){dim, 1, step});
    hash = mixSteps(body, compute(body, addInts, hash, position));
  }
  const int whole = compute(body, intsToFloats, none, shift(body, shiftRightLogical, hash, 8));
  return mul(body, whole, number_(body, 5.9604644775390625e-8f));
}

/* Of the pointer, along a row: 0 or 1, or none where that is known only later. */
static int strideOf(const Loop *loop, int pointer) {
  if (loop->dims == 0) return 0;
  const Size *size = &loop->pointer[pointer].dims[loop->dims - 1];
  if (size->coefficient == 0) return 0;
  return size->count == 0 && size->coefficient == 1 ? 1 : none;
}

static Place placeOf(const Body *body, int pointer, uint32_t address) {
  const int indexed = strideOf(body->loop, pointer);
  return (Place){atPointer, pointer, indexed, .partial = body->partial, .at = (int32_t)address + indexed * body->shift};
}

static int read_(Body *body, Place place) {
  const int to = newValue(body);
  addStep(body, (Step){reads, loadVector, -1, to, none, none, none, place, {0}, {0}});
  return to;
}

static void write_(Body *body, Place place, int value) {
  addStep(body, (Step){writes, storeVector, -1, none, value, none, none, place, {0}, {0}});
}

static int loadSteps(Body *body, const Op *op) {
  Place place = placeOf(body, op->which, op->address);
  if (!place.indexed) {
    place.spreads = 1;
    place.partial = 0;
  }
  return op->copy ? read_(body, place) : valueAt(body, place);
}

static int opSteps(Body *body, int i) {
  const Op *op = &body->loop->op[i];
  const int *now = body->now;
  switch (op->kind) {
    case loadOp: return loadSteps(body, op);
    case literalOp: return number_(body, op->value);
    case positionOp: return positionSteps(body, op->which);
    case stepOp: return valueAt(body, (Place){.kind = inFrame, .at = body->code->stepsAt + 4 * op->which, .spreads = 1});
    case randomOp: return randomSteps(body, op, now[op->a]);
    case unaryOp: return unarySteps(body, op->which, now[op->a]);
    case binaryOp: return binarySteps(body, op->which, now[op->a], now[op->b]);
    default: {
      const int no = compare(body, now[op->a], number_(body, 0), isEqual);
      return blend(body, no, now[op->c], now[op->b]);
    }
  }
}

static int sumRegister(int i) { return vectorRegisters - 1 - i; }

/* Sixteen lanes of the sum or of the largest; behind the last whole vector there are four. */
static void sumSteps(Body *body, const Result *reduction, int sum) {
  const int x = body->now[reduction->value];
  if (body->partial) {
    addStep(body, (Step){addsRest, addFloats, reduction->op, sum, x, sum, none, {0}, {.four = 1}, {0}});
  } else if (reduction->op == 1) {
    const int larger = extremeSteps(body, higherOfTwo, sum, x);
    addStep(body, (Step){computes, moveVector, -1, sum, none, larger, none, {0}, {0}, {0}});
  } else {
    addStep(body, (Step){computes, addFloats, -1, sum, sum, x, none, {0}, {0}, {0}});
  }
}

/* In halves of a cycle: two steps run at once. */
static int latencyOf(const Step *step) { return step->instruction == divideFloats || step->instruction == rootFloats ? 40 : 8; }

/* Of a step and the comparison before it: the values they read. Returns how many. */
static int sourcesOf(const Body *body, int s, int *values) {
  int count = 0;
  for (int i = s > 0 && body->steps[s - 1].form == compares ? s - 1 : s; i <= s; i++) {
    const int all[] = {body->steps[i].a, body->steps[i].b, body->steps[i].over};
    for (int j = 0; j < 3; j++)
      if (all[j] >= 0) values[count++] = all[j];
  }
  return count;
}

enum { mostSources = 6 };

/* What ordering the steps knows of each of them; times are in halves of a cycle, in which one step starts. */
typedef struct {
  int height;       /* time from its start to the end of all that follows from it */
  int ready;        /* when its sources are there */
  int waits;        /* sources that are not there yet */
  int unread;       /* readers of its value that have not started */
  int done;
  int firstReading; /* a list of readings of its value, by step · mostSources + source */
} Work;

static int startOf(const Work *work, int clock) { return work->ready > clock ? work->ready : clock; }

/* The step to start now: what can start first, and of those what most hangs on; with many values alive the first. */
static int chooseStep(const Work *work, int count, int clock, int crowded) {
  int best = none;
  for (int s = 0; s < count; s++) {
    if (work[s].done || work[s].waits > 0) continue;
    if (crowded) return s;
    if (best == none) best = s;
    const int start = startOf(&work[s], clock), bestStart = startOf(&work[best], clock);
    if (start < bestStart || (start == bestStart && work[s].height > work[best].height)) best = s;
  }
  return best;
}

/*
 * Orders the steps so that chains that wait for themselves run side by side, as far as the registers go: beyond that the order of
 * the ops, which needs few. A comparison stays before the step that uses its mask.
 */
static void orderSteps(Body *body, int mostAlive, Work *work, int *maker, int *readings, Step *ordered) {
  const int count = body->stepCount;
  int values[mostSources];
  for (int i = 0; i < body->valueCount; i++) maker[i] = none;
  for (int s = 0; s < count; s++) {
    const Step *step = &body->steps[s];
    work[s] = (Work){.firstReading = none, .done = step->form == compares};
    if (step->form != compares && step->to >= 0) maker[step->to] = s;
  }
  for (int s = count - 1; s >= 0; s--) {
    if (work[s].done) continue;
    work[s].height += latencyOf(&body->steps[s]);
    for (int i = sourcesOf(body, s, values) - 1; i >= 0; i--) {
      if (maker[values[i]] == none) continue;
      Work *source = &work[maker[values[i]]];
      work[s].waits++;
      source->unread++;
      if (work[s].height > source->height) source->height = work[s].height;
      readings[s * mostSources + i] = source->firstReading;
      source->firstReading = s * mostSources + i;
    }
  }
  int alive = 0, clock = 0;
  for (int written = 0; written < count; clock++) {
    const int s = chooseStep(work, count, clock, alive >= mostAlive);
    if (s > 0 && body->steps[s - 1].form == compares) ordered[written++] = body->steps[s - 1];
    ordered[written++] = body->steps[s];
    work[s].done = 1;
    clock = startOf(&work[s], clock);
    if (work[s].unread > 0) alive++;
    for (int i = sourcesOf(body, s, values) - 1; i >= 0; i--)
      if (maker[values[i]] != none && --work[maker[values[i]]].unread == 0) alive--;
    for (int reading = work[s].firstReading; reading != none; reading = readings[reading]) {
      Work *reader = &work[reading / mostSources];
      reader->waits--;
      reader->ready = startOf(reader, clock + latencyOf(&body->steps[s]));
    }
  }
  memcpy(body->steps, ordered, count * sizeof *ordered);
}

/* `registers`: those that values may have. */
static void schedule(Body *body, int registers) {
  const int count = body->stepCount;
  if (count > mostScheduled) return;
  Work *work = malloc((count + 1) * sizeof *work);
  int *maker = malloc((body->valueCount + 1) * sizeof *maker), *readings = malloc((count + 1) * mostSources * sizeof *readings);
  Step *ordered = malloc((count + 1) * sizeof *ordered);
  if (work == NULL || maker == NULL || readings == NULL || ordered == NULL) body->failed = 1;
  else orderSteps(body, registers - keptFree, work, maker, readings, ordered);
  free(work);
  free(maker);
  free(readings);
  free(ordered);
}

/* All ops of one vector, and the stores that nothing waits for. */
static void opsSteps(Body *body) {
  const Loop *loop = body->loop;
  for (int i = 0; i < loop->ops && !body->failed; i++) {
    body->now[i] = opSteps(body, i);
    for (int j = 0; j < loop->stores; j++) {
      const Result *store = &loop->store[j];
      if (store->direct && store->value == i) write_(body, placeOf(body, store->pointer, store->address), body->now[i]);
    }
  }
}

/* What must come behind all loads, and sums in their order. `sums`: their values. */
static void resultSteps(Body *body, const int *sums) {
  const Loop *loop = body->loop;
  for (int i = 0; i < loop->stores && !body->failed; i++) {
    const Result *store = &loop->store[i];
    if (!store->direct) write_(body, placeOf(body, store->pointer, store->address), body->now[store->value]);
  }
  for (int i = 0; i < loop->reductions && !body->failed; i++) {
    const Result *reduction = &loop->reduction[i];
    const int x = body->now[reduction->value];
    if (reduction->inRegister) {
      sumSteps(body, reduction, *sums++);
      continue;
    }
    const Place target = placeOf(body, reduction->pointer, reduction->address);
    const int before = read_(body, target);
    write_(body, target, reduction->op == 0 ? add(body, before, x) : extremeSteps(body, higherOfTwo, before, x));
  }
}

/* Whether a vector alone would mostly wait for itself: then two run side by side. */
static int hasLongChains(const Loop *loop) {
  for (int i = 0; i < loop->ops; i++) {
    const Op *op = &loop->op[i];
    if (op->kind == randomOp || (op->kind == unaryOp && isElementary(op->which))) return 1;
  }
  return 0;
}

/* The steps for as many vectors side by side. */
static void bodySteps(Body *body, int vectors) {
  const Loop *loop = body->loop;
  int sums[mostSums], count = 0;
  for (int i = 0; i < loop->reductions; i++) {
    if (!loop->reduction[i].inRegister) continue;
    sums[count] = newValue(body);
    if (!body->failed) body->values[sums[count]].fixed = body->values[sums[count]].reg = sumRegister(count);
    count++;
  }
  int *now = body->now;
  for (int i = 0; i < vectors; i++) {
    body->now = now + i * loop->ops;
    body->shift = i * vectorBytes;
    opsSteps(body);
  }
  if (!body->failed && hasLongChains(loop)) schedule(body, vectorRegisters - scratchRegisters - count);
  for (int i = 0; i < vectors; i++) {
    body->now = now + i * loop->ops;
    body->shift = i * vectorBytes;
    resultSteps(body, sums);
  }
  body->now = now;
}

/* When each value is read next, seen from each step that reads or makes it. */
static void findNext(Body *body) {
  for (int i = 0; i < body->valueCount; i++) body->values[i].next = never;
  for (int s = body->stepCount - 1; s >= 0; s--) {
    Step *step = &body->steps[s];
    const int values[] = {step->form == compares ? none : step->to, step->a, step->b, step->over};
    for (int j = 0; j < 4; j++)
      if (values[j] >= 0) step->next[j] = body->values[values[j]].next;
    for (int j = 1; j < 4; j++)
      if (values[j] >= 0) body->values[values[j]].next = s;
  }
}
