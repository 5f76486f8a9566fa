/*
 * Machine code of x86-64 with AVX-512, written into memory that is not executable. Vector instructions have one encoding (EVEX):
 * an operation, a destination, a first source, and a second one that is a register or memory.
 */

/* An instruction's table of opcodes (1: 0F, 2: 0F38, 3: 0F3A), its prefix (0 none, 1: 66, 2: F3) and its opcode. */
#define INSTRUCTION(table, prefix, opcode) ((table) << 16 | (prefix) << 8 | (opcode))

enum {
  addFloats = INSTRUCTION(1, 0, 0x58),
  multiplyFloats = INSTRUCTION(1, 0, 0x59),
  subtractFloats = INSTRUCTION(1, 0, 0x5c),
  leastFloats = INSTRUCTION(1, 0, 0x5d),
  divideFloats = INSTRUCTION(1, 0, 0x5e),
  greatestFloats = INSTRUCTION(1, 0, 0x5f),
  rootFloats = INSTRUCTION(1, 0, 0x51),
  compareFloats = INSTRUCTION(1, 0, 0xc2),
  rangeFloats = INSTRUCTION(3, 1, 0x50),
  roundFloats = INSTRUCTION(3, 1, 0x08),
  scaleFloats = INSTRUCTION(2, 1, 0x2c), /* the first by 2 to the second */
  blendFloats = INSTRUCTION(2, 1, 0x65),
  truncateToInts = INSTRUCTION(1, 2, 0x5b),
  intsToFloats = INSTRUCTION(1, 0, 0x5b),
  andBits = INSTRUCTION(1, 1, 0xdb),
  xorBits = INSTRUCTION(1, 1, 0xef),
  testBits = INSTRUCTION(2, 1, 0x27),
  addInts = INSTRUCTION(1, 1, 0xfe),
  subtractInts = INSTRUCTION(1, 1, 0xfa),
  multiplyInts = INSTRUCTION(2, 1, 0x40),
  shiftInts = INSTRUCTION(1, 1, 0x72), /* which shift is in the place of the destination */
  moveVector = INSTRUCTION(1, 0, 0x28),
  loadVector = INSTRUCTION(1, 0, 0x10),
  storeVector = INSTRUCTION(1, 0, 0x11),
  spread = INSTRUCTION(2, 1, 0x18), /* one float of memory to all lanes */
  spreadRegister = INSTRUCTION(2, 1, 0x7c),
  takeFour = INSTRUCTION(3, 1, 0x19), /* the second operand is the destination */
  swapLanes = INSTRUCTION(3, 1, 0x04),
  addOne = INSTRUCTION(1, 2, 0x58),
  loadOne = INSTRUCTION(1, 2, 0x10), /* between registers: the first lane of the second source, the others of the first */
  storeOne = INSTRUCTION(1, 2, 0x11),
};

enum { shiftRightLogical = 2, shiftRight = 4, shiftLeft = 6 };
enum { isEqual = 0x00, isLess = 0x11, isMore = 0x1e, isNotLess = 0x15, isOrdered = 0x07, isUnordered = 0x03 };
enum { toNearest = 8, toFloor = 9 };
enum { lowerOfTwo = 4, higherOfTwo = 5 }; /* of rangeFloats: −0 is less than +0 */

enum { rax = 0, rcx = 1, rdx = 2, rsi = 6, rdi = 7 };

/* A second operand: a register, or memory at base + disp, with `indexed` + rcx. With base `pool` disp counts constants. */
typedef struct {
  int inRegister, base, indexed, spreads;
  int32_t disp;
} Operand;

enum { pool = -1 };

typedef struct {
  uint8_t *bytes;
  size_t length, limit;
  int failed; /* out of memory */
  uint32_t *constants;
  int constantCount, constantLimit;
  /* Where an instruction counts from its own end to a constant. */
  struct {
    size_t at;
    int constant;
  } *uses;
  int useCount, useLimit;
} Assembler;

/* Makes room for one more element of a growing array; 0 where there is no memory. */
static int grow(void **array, int count, int *limit, size_t size) {
  if (count < *limit) return 1;
  const int wanted = 2 * *limit + 64;
  void *grown = realloc(*array, wanted * size);
  if (grown == NULL) return 0;
  *array = grown;
  *limit = wanted;
  return 1;
}

static void put(Assembler *code, int byte) {
  if (code->length == code->limit) {
    const size_t wanted = 2 * code->limit + 1024;
    uint8_t *grown = realloc(code->bytes, wanted);
    if (grown == NULL) {
      code->failed = 1;
      return;
    }
    code->bytes = grown;
    code->limit = wanted;
  }
  code->bytes[code->length++] = (uint8_t)byte;
}

static void putWord(Assembler *code, int32_t word) {
  for (int i = 0; i < 4; i++) put(code, (uint32_t)word >> (8 * i) & 255);
}

/* The number of the first of `count` constants, which lie next to each other. */
static int poolConstants(Assembler *code, const uint32_t *words, int count) {
  for (int i = 0; i + count <= code->constantCount; i++)
    if (memcmp(code->constants + i, words, count * sizeof *words) == 0) return i;
  for (int i = 0; i < count; i++) {
    if (!grow((void **)&code->constants, code->constantCount, &code->constantLimit, sizeof *words)) {
      code->failed = 1;
      return 0;
    }
    code->constants[code->constantCount++] = words[i];
  }
  return code->constantCount - count;
}

/* ---- vectors --------------------------------------------------------------------------------------------------------- */

/* Of an instruction: its vectors have 4 or 16 lanes; `mask` (0 none) says which of them it writes, the others become 0 or stay. */
typedef struct {
  int four, mask, zeroes;
} Lanes;

static void putOperand(Assembler *code, int reg, Operand from, int behind) {
  reg = (reg & 7) << 3;
  if (from.inRegister) {
    put(code, 0xc0 | reg | (from.base & 7));
  } else if (from.base == pool) {
    put(code, 0x05 | reg);
    if (!grow((void **)&code->uses, code->useCount, &code->useLimit, sizeof *code->uses)) {
      code->failed = 1;
      return;
    }
    code->uses[code->useCount].at = code->length;
    code->uses[code->useCount++].constant = from.disp;
    putWord(code, -4 - behind);
  } else {
    const int needsIndex = from.indexed || (from.base & 7) == 4;
    put(code, 0x80 | reg | (needsIndex ? 4 : from.base & 7));
    if (needsIndex) put(code, (from.indexed ? rcx : 4) << 3 | (from.base & 7));
    putWord(code, from.disp);
  }
}

/* `immediate`: −1 where the instruction has none. */
static void vector(Assembler *code, int instruction, Lanes lanes, int to, int first, Operand second, int immediate) {
  const int high = second.inRegister ? second.base : second.base == pool ? 0 : second.base & 15;
  put(code, 0x62);
  put(code, (to & 8 ? 0 : 0x80) | (high & 16 ? 0 : 0x40) | (high & 8 ? 0 : 0x20) | (to & 16 ? 0 : 0x10) | instruction >> 16);
  put(code, (~first & 15) << 3 | 4 | (instruction >> 8 & 3));
  put(code, lanes.zeroes << 7 | (lanes.four ? 0 : 0x40) | second.spreads << 4 | (first & 16 ? 0 : 8) | lanes.mask);
  put(code, instruction & 255);
  putOperand(code, to, second, immediate >= 0);
  if (immediate >= 0) put(code, immediate);
}

/* ---- whole numbers and jumps, on 64 bits at [rdi + disp] ---------------------------------------------------------------- */

static void wide(Assembler *code, int opcode, int reg, int32_t disp) {
  put(code, 0x48 | (reg >> 3) << 2);
  put(code, opcode);
  put(code, 0x80 | (reg & 7) << 3 | rdi);
  putWord(code, disp);
}
static void loadWide(Assembler *code, int reg, int32_t disp) { wide(code, 0x8b, reg, disp); }
static void addWide(Assembler *code, int reg, int32_t disp) { wide(code, 0x03, reg, disp); }
static void addToMemory(Assembler *code, int32_t disp, int reg) { wide(code, 0x01, reg, disp); }

/* The 32 bits at [rdi + disp]: more by `word`. */
static void addWord(Assembler *code, int32_t disp, int32_t word) {
  put(code, 0x81);
  put(code, 0x80 | rdi);
  putWord(code, disp);
  putWord(code, word);
}

/* Compares the 32 bits at [rdi + disp] with a number. */
static void compareWord(Assembler *code, int32_t disp, int32_t word) {
  put(code, 0x81);
  put(code, 0x80 | 7 << 3 | rdi);
  putWord(code, disp);
  putWord(code, word);
}

static void putAll(Assembler *code, const uint8_t *bytes, int count) {
  for (int i = 0; i < count; i++) put(code, bytes[i]);
}
#define PUT(code, ...) putAll(code, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void push(Assembler *code, int reg) {
  if (reg >= 8) put(code, 0x41);
  put(code, 0x50 | (reg & 7));
}
static void pop(Assembler *code, int reg) {
  if (reg >= 8) put(code, 0x41);
  put(code, 0x58 | (reg & 7));
}

/* k1 = the 16 bits at [rdi + disp] */
static void loadMask(Assembler *code, int32_t disp) {
  PUT(code, 0xc5, 0xf8, 0x90, 0x80 | 1 << 3 | rdi);
  putWord(code, disp);
}

enum { ifBelow = 0x2, ifNotBelow = 0x3, ifZero = 0x4, ifNotZero = 0x5, ifLess = 0xc };

static void jumpBack(Assembler *code, int condition, size_t target) {
  PUT(code, 0x0f, 0x80 | condition);
  putWord(code, (int32_t)((int64_t)target - (int64_t)code->length - 4));
}

/* Returns what `land` makes jump to where it is called. */
static size_t jumpOn(Assembler *code, int condition) {
  PUT(code, 0x0f, 0x80 | condition);
  putWord(code, 0);
  return code->length;
}

static void patch(Assembler *code, size_t at, int32_t word) {
  if (!code->failed) memcpy(code->bytes + at, &word, sizeof word);
}

static void land(Assembler *code, size_t jump) { patch(code, jump - 4, (int32_t)(code->length - jump)); }

/* Puts the constants behind the code. */
static void finishCode(Assembler *code) {
  while (code->length % 64 != 0) put(code, 0xcc);
  const size_t start = code->length;
  for (int i = 0; i < code->constantCount; i++) putWord(code, (int32_t)code->constants[i]);
  for (int i = 0; i < code->useCount && !code->failed; i++) {
    const size_t at = code->uses[i].at;
    int32_t fromEnd;
    memcpy(&fromEnd, code->bytes + at, sizeof fromEnd);
    patch(code, at, (int32_t)(start + 4 * (size_t)code->uses[i].constant - at) + fromEnd);
  }
}

static void freeAssembler(Assembler *code) {
  free(code->bytes);
  free(code->constants);
  free(code->uses);
}
