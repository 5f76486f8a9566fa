/** Decides what each column is: numbers, times or text; and refuses cells that are not what their column must be. */
import { DataError, nearest } from "recurra";
import { batches, type Database, query, quoted } from "./duckdb.ts";
import { type Loaded, shortList } from "./load.ts";
import type { ColumnRoles, Reading } from "./request.ts";
import { formatFor, formattedTime, isoTime, looksAmbiguous, monthTime } from "./times.ts";

/** How a column of `source` becomes a column of the table: the SQL expression gives DOUBLE or VARCHAR. */
export interface ColumnPlan {
  readonly name: string;
  readonly kind: "number" | "time" | "text";
  readonly sql: string;
}

/** Cells of number and time columns that mean "missing", in lower case. */
export const missingWords = ["", "na", "nan", "null", "none", "n/a", "#n/a"];

const numericType = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BIGNUM|BOOLEAN)$/;
const timeType = /^(DATE|TIMESTAMP.*)$/;
const textType = /^(VARCHAR|ENUM.*|UUID|JSON)$/;

export async function planColumns(
  database: Database,
  loaded: Loaded,
  roles: ColumnRoles,
  reading: Reading,
): Promise<readonly ColumnPlan[]> {
  refuseUnknown(loaded, roles);
  const columns = loaded.names.map((name, index) => column(name, index, loaded.types[index]!, roles));
  const census = await takeCensus(database, columns, reading.timeFormat);
  const timeKnown = columns.some((c) => timeType.test(c.type)) || [...census.values()].some(isTimes);
  const plans: ColumnPlan[] = [];
  for (const c of columns) {
    const plan = await planColumn({ database, loaded, reading, timeKnown }, c, census.get(c.index));
    if (plan !== undefined) plans.push(plan);
  }
  return plans;
}

interface SourceColumn {
  readonly name: string;
  readonly index: number;
  readonly type: string;
  readonly needed: "number" | "text" | "time" | "any" | "unasked";
  /** Whether another column was named as the time column. */
  readonly otherTime: boolean;
  /** SQL text of the cell. */
  readonly cell: string;
}

function column(name: string, index: number, type: string, roles: ColumnRoles): SourceColumn {
  const needed = roles.numbers.includes(name)
    ? "number"
    : roles.texts.includes(name)
      ? "text"
      : roles.time === name
        ? "time"
        : roles.anything.includes(name)
          ? "any"
          : "unasked";
  const cell =
    type === "JSON" ? `(c${index} ->> '$')` : type === "VARCHAR" ? `c${index}` : `CAST(c${index} AS VARCHAR)`;
  return { name, index, type, needed, otherTime: roles.time !== undefined && roles.time !== name, cell };
}

/** How many cells of a text column are there at all, and how many read as a number, a time and so on. */
interface Census {
  readonly present: number;
  readonly numbers: number;
  readonly times: number;
  readonly months: number;
  readonly formatted: number;
  readonly ambiguous: number;
}

/**
 * Numbers are counted first, and times only in columns that are not all numbers, a few columns per query: DuckDB plans
 * a query of thousands of counts in tens of seconds (measured with 961 columns), and these in tenths of one.
 */
async function takeCensus(
  database: Database,
  columns: readonly SourceColumn[],
  format: string | undefined,
): Promise<ReadonlyMap<number, Census>> {
  const texts = columns.filter(({ type, needed }) => textType.test(type) && needed !== "text");
  const basics = await countAll(database, texts, ({ cell }) => [
    `count(*) FILTER (${present(cell)})`,
    `count(${number(cell)})`,
  ]);
  const census = new Map<number, Census>();
  const others: SourceColumn[] = [];
  for (const [k, c] of texts.entries()) {
    const [there, numbers] = basics[k]! as [number, number]; // two counts were asked for
    census.set(c.index, { present: there, numbers, times: 0, months: 0, formatted: 0, ambiguous: 0 });
    if (c.needed !== "number" && (numbers < there || format !== undefined)) others.push(c);
  }
  const details = await countAll(database, others, ({ cell }) => [
    `count(${isoTime(cell)})`,
    `count(${monthTime(cell)})`,
    format === undefined ? "0" : `count(CASE WHEN ${present(cell)} THEN ${formattedTime(cell, format)} END)`,
    `count(*) FILTER (${looksAmbiguous(cell)})`,
  ]);
  for (const [k, { index }] of others.entries()) {
    const [times, months, formatted, ambiguous] = details[k]! as [number, number, number, number]; // four counts
    census.set(index, { ...census.get(index)!, times, months, formatted, ambiguous });
  }
  return census;
}

async function countAll(
  database: Database,
  columns: readonly SourceColumn[],
  counts: (column: SourceColumn) => readonly string[],
): Promise<readonly (readonly number[])[]> {
  const answers: number[][] = [];
  for (const few of batches(columns)) {
    const asked = few.map(counts);
    const row = (await query(database, `SELECT ${asked.flat().join(", ")} FROM source`))[0]!.map(Number);
    for (const each of asked) answers.push(row.splice(0, each.length));
  }
  return answers;
}

function isTimes({ present: there, times, months, formatted }: Census): boolean {
  return there > 0 && Math.max(times, months, formatted) === there;
}

interface Setting {
  readonly database: Database;
  readonly loaded: Loaded;
  readonly reading: Reading;
  /** Whether some column is made of times throughout. */
  readonly timeKnown: boolean;
}

async function planColumn(
  setting: Setting,
  c: SourceColumn,
  census: Census | undefined,
): Promise<ColumnPlan | undefined> {
  const { name, needed, type } = c;
  if (needed === "text") return { name, kind: "text", sql: c.cell };
  if (census !== undefined) return needed === "number" ? planNumber(setting, c, census) : planText(setting, c, census);
  if (numericType.test(type)) {
    const plan: ColumnPlan = { name, kind: "number", sql: `CAST(c${c.index} AS DOUBLE)` };
    if (needed === "number") await refuseCell(setting, c, `isinf(${plan.sql})`, "a finite number");
    return plan;
  }
  if (timeType.test(type) && needed !== "number")
    return { name, kind: "time", sql: `CAST(epoch_ms(c${c.index}) AS DOUBLE)` };
  if (needed === "unasked") return undefined;
  throw new DataError({
    where: `${setting.loaded.source}: column ${name}`,
    given: `of type ${type}`,
    expected: needed === "number" ? "numbers" : "numbers, times or text",
    mend: "choose another column, or convert it with --sql",
  });
}

async function planNumber(setting: Setting, c: SourceColumn, { present: there, numbers }: Census): Promise<ColumnPlan> {
  if (numbers < there) {
    await refuseCell(setting, c, `${present(c.cell)} AND ${number(c.cell)} IS NULL`, "a number", (given) =>
      mendNumber(given, numbers === 0),
    );
  }
  return { name: c.name, kind: "number", sql: number(c.cell) };
}

async function planText(setting: Setting, c: SourceColumn, census: Census): Promise<ColumnPlan> {
  const { name, cell, needed } = c;
  const { present: there, numbers, times, months, formatted, ambiguous } = census;
  const format = setting.reading.timeFormat;
  const mayBeTime = needed === "time" || (needed === "unasked" && !c.otherTime);
  const likely = formatted > there / 2 || ambiguous === there;
  if (
    mayBeTime &&
    format !== undefined &&
    (formatted === there || needed === "time" || (!setting.timeKnown && likely))
  ) {
    const sql = formattedTime(cell, format);
    if (formatted < there)
      await refuseCell(setting, c, `${present(cell)} AND ${sql} IS NULL`, `a time written ${format}`);
    return { name, kind: "time", sql: `CAST(${sql} AS DOUBLE)` };
  }
  if (numbers === there) return { name, kind: "number", sql: number(cell) };
  // A column of times with a few bad cells is a column of times, and the cells are refused.
  const [sql, count] = months > times ? [monthTime(cell), months] : [isoTime(cell), times];
  if (count === there || (mayBeTime && (needed === "time" ? count > 0 : !setting.timeKnown && count > 0.9 * there))) {
    const expected = months > times ? "a month such as 1949-01" : "a time such as 2016-07-01 00:00:00";
    if (count < there) await refuseCell(setting, c, `${present(cell)} AND ${sql} IS NULL`, expected);
    return { name, kind: "time", sql: `CAST(${sql} AS DOUBLE)` };
  }
  if (mayBeTime && (needed === "time" || (ambiguous === there && !setting.timeKnown))) {
    const expected = ambiguous > 0 ? "a time that can be read in one way only" : "a time such as 2016-07-01 00:00:00";
    await refuseCell(setting, c, present(cell), expected, ambiguous > 0 ? mendTime : mendTimeColumn);
  }
  return { name, kind: "text", sql: cell };
}

function present(cell: string): string {
  return `lower(trim(${cell})) NOT IN (${missingWords.map(quoted).join(", ")})`;
}

/** The cell as a finite DOUBLE, or NULL. */
function number(cell: string): string {
  const value = `try_cast(${cell} AS DOUBLE)`;
  return `CASE WHEN isfinite(${value}) THEN ${value} END`;
}

/** Throws for the first row where `condition` holds, if there is one. */
async function refuseCell(
  { database, loaded }: Setting,
  { name, cell }: SourceColumn,
  condition: string,
  expected: string,
  mend: (given: string) => string = () => "mend the cell, or leave it empty when the value is missing",
): Promise<void> {
  const [found] = await query(database, `SELECT rowid, ${cell} FROM source WHERE ${condition} ORDER BY rowid LIMIT 1`);
  if (found === undefined) return;
  const given = String(found[1]);
  throw badCell(`${loaded.rowLabel(Number(found[0]))}, column ${name}`, given, expected, mend(given));
}

export function badCell(where: string, given: string, expected: string, mend: string): DataError {
  return new DataError({ where, given: `"${given.length > 60 ? `${given.slice(0, 60)}…` : given}"`, expected, mend });
}

export function mendNumber(given: string, wholeColumn: boolean): string {
  if (/^\s*[-+]?\d+,\d+\s*$/.test(given)) return `write decimals with a point: ${given.trim().replace(",", ".")}`;
  if (wholeColumn)
    return "the column holds no number at all: choose another, or list it under --categorical when it names categories";
  return "mend the cell, or leave it empty when the value is missing";
}

function mendTime(given: string): string {
  const format = formatFor(given);
  return `say how it is written: --time-format "${format}" when the day comes first, "${format.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")}" when the month does`;
}

function mendTimeColumn(): string {
  return "name another column with --time, or say how this one is written with --time-format";
}

function refuseUnknown({ source, names }: Loaded, { numbers, texts, anything, time }: ColumnRoles): void {
  const asked = [...numbers, ...texts, ...anything, ...(time === undefined ? [] : [time])];
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, names);
  throw new DataError({
    where: `${source}: column "${unknown}"`,
    given: "missing",
    expected: `one of ${shortList(names)}`,
    mend: near === undefined ? "name a column of the data" : `did you mean "${near}"?`,
  });
}
