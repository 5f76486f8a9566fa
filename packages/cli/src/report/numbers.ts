/** Numbers, spans of time and tables, as people read them. */

/** Four significant digits, never in a form that hides the size: 0.03214, 12.35, 104,200, 1.2e-9. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4, minimumSignificantDigits: size === 0 ? 1 : 4 });
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** "1 window", "2,880 windows". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

/** 0:07, 12:30, 1:02:03. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "-:--";
  const total = Math.round(seconds);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (part: number) => String(part).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** "2016-07-01 00:00:00" of milliseconds UTC, with a fraction only when there is one; or the index of the timestep. */
export function timestamp(time: number, timed: boolean): string {
  if (!timed) return String(time);
  return new Date(time)
    .toISOString()
    .replace("T", " ")
    .replace(/(\.000)?Z$/, "");
}

/** How to write times that stand together: as dates alone when all of them are midnights, as days and months are. */
export function timeWriter(times: readonly number[], timed: boolean): (time: number) => string {
  const dates = timed && times.every((time) => time % 86_400_000 === 0);
  return (time) => (dates ? timestamp(time, true).slice(0, -" 00:00:00".length) : timestamp(time, timed));
}

/** Columns aligned: the first to the left, the others to the right. A row of one cell is a title and widens nothing. */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    if (row.length === 1) continue;
    for (const [k, cell] of row.entries()) widths[k] = Math.max(widths[k] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row.map((cell, k) => (k === 0 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0))).join("  ");
  return `${rows.map((row) => line(row).trimEnd()).join("\n")}\n`;
}
