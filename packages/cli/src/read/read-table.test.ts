import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { folderWith, messageOf, writeParquet } from "../../test-support/files.ts";
import { readTable } from "./read-table.ts";
import { type ColumnRoles, type DataSource, noRoles, plainReading, type Reading } from "./request.ts";

const hour = 3_600_000;
const start = Date.UTC(2016, 6, 1);
const csv = "date,OT,place\n2016-07-01 00:00:00,30.5,roof\n2016-07-01 01:00:00,NA,\n2016-07-01 02:00:00,27.8,hall\n";

interface Asked {
  readonly reading?: Partial<Reading>;
  readonly roles?: Partial<ColumnRoles>;
}

function read(source: readonly string[] | string, { reading, roles }: Asked = {}) {
  const from: DataSource =
    typeof source === "string" ? { kind: "sql", sql: source } : { kind: "files", patterns: source };
  return readTable({ source: from, reading: { ...plainReading, ...reading }, roles: { ...noRoles, ...roles } });
}

async function columnsOf(source: readonly string[] | string, asked: Asked = {}) {
  const table = await read(source, asked);
  return table.columns.map(({ name, kind, values }) => [name, kind, [...values]]);
}

async function refusal(folder: string, source: readonly string[] | string, asked: Asked = {}): Promise<string> {
  return messageOf(folder, () => read(source, asked));
}

describe("readTable", () => {
  const expected = [
    ["date", "time", [start, start + hour, start + 2 * hour]],
    ["OT", "number", [30.5, Number.NaN, 27.8]],
    ["place", "text", ["roof", null, "hall"]],
  ];

  it("reads CSV: times, numbers, text, and missing cells", async () => {
    const folder = folderWith({ "data.csv": csv });
    expect(await columnsOf([`${folder}/data.csv`])).toEqual(expected);
  });

  it("reads TSV, semicolons, gzip, a byte order mark and Windows line ends alike", async () => {
    const folder = folderWith({
      "data.tsv": csv.replaceAll(",", "\t"),
      "semi.csv": csv.replaceAll(",", ";"),
      "data.csv.gz": gzipSync(csv),
      "windows.csv": `\ufeff${csv.replaceAll("\n", "\r\n")}`,
    });
    for (const name of ["data.tsv", "semi.csv", "data.csv.gz", "windows.csv"])
      expect(await columnsOf([`${folder}/${name}`]), name).toEqual(expected);
  });

  it("reads Parquet with its own types", async () => {
    const folder = folderWith({});
    await writeParquet(
      `${folder}/data.parquet`,
      "SELECT TIMESTAMP '2016-07-01' AS t, 1.5::DECIMAL(5,2) AS d, 7::BIGINT AS i, NULL::FLOAT AS f, true AS b, 'x' AS s, [1] AS list",
    );
    expect(await columnsOf([`${folder}/data.parquet`])).toEqual([
      ["t", "time", [start]],
      ["d", "number", [1.5]],
      ["i", "number", [7]],
      ["f", "number", [Number.NaN]],
      ["b", "number", [1]],
      ["s", "text", ["x"]],
    ]);
  });

  it("reads JSON Lines and JSON, and keeps the zone of a time", async () => {
    const rows = ['{"t":"2016-07-01T02:00:00+02:00","v":1}', '{"t":"2016-07-01T03:00:00+02:00","v":null}'];
    const folder = folderWith({ "data.jsonl": `${rows.join("\n")}\n`, "data.json": `[${rows.join(",")}]` });
    const both = [
      ["t", "time", [start, start + hour]],
      ["v", "number", [1, Number.NaN]],
    ];
    expect(await columnsOf([`${folder}/data.jsonl`])).toEqual(both);
    expect(await columnsOf([`${folder}/data.json`])).toEqual(both);
  });

  it("reads the files of a glob in alphabetical order and names each row's own file", async () => {
    const folder = folderWith({ "b.csv": "v\n3\n4\n", "a.csv": "v\n1\n2\n" });
    const table = await read([`${folder}/*.csv`]);
    expect([...table.columns[0]!.values]).toEqual([1, 2, 3, 4]);
    expect([0, 3].map((row) => table.rowLabel?.(row).replace(`${folder}/`, ""))).toEqual([
      "a.csv: line 2",
      "b.csv: line 3",
    ]);
  });

  it("reads the answer of a query in its order", async () => {
    const folder = folderWith({ "data.csv": csv });
    const table = await read(`SELECT OT FROM '${folder}/data.csv' WHERE place IS NOT NULL ORDER BY date DESC;`);
    expect([table.source, [...table.columns[0]!.values], table.rowLabel?.(1)]).toEqual([
      "the SQL query",
      [27.8, 30.5],
      "the SQL query: row 2",
    ]);
  });

  it("reads months, and days by --time-format", async () => {
    const folder = folderWith({
      "months.csv": '"Month","v"\n"1949-01",112\n"1949-02",118\n',
      "days.csv": "Date,v\n03-01-00,1\n04-01-00,2\n",
    });
    expect((await columnsOf([`${folder}/months.csv`]))[0]).toEqual([
      "Month",
      "time",
      [Date.UTC(1949, 0), Date.UTC(1949, 1)],
    ]);
    const days = await columnsOf([`${folder}/days.csv`], { reading: { timeFormat: "%d-%m-%y" } });
    expect(days[0]).toEqual(["Date", "time", [Date.UTC(2000, 0, 3), Date.UTC(2000, 0, 4)]]);
  });

  it("reads names as text where they are needed as text", async () => {
    const folder = folderWith({ "data.csv": "id,v\n001,1\n002,2\n" });
    expect((await columnsOf([`${folder}/data.csv`], { roles: { texts: ["id"] } }))[0]).toEqual([
      "id",
      "text",
      ["001", "002"],
    ]);
  });

  it("calls columns of a file without header column0, column1, …", async () => {
    const folder = folderWith({ "rates.txt": "0.5,1\n0.6,2\n" });
    expect(await columnsOf([`${folder}/rates.txt`], { reading: { format: "csv", header: false } })).toEqual([
      ["column0", "number", [0.5, 0.6]],
      ["column1", "number", [1, 2]],
    ]);
  });

  it("turns a wide file into series of their own lengths, keeping gaps inside", async () => {
    const folder = folderWith({ "wide.csv": '"V1","V2","V3","V4"\n"H1",605,,559\n"H2",3124,2990,\n' });
    const table = await read([`${folder}/wide.csv`], { reading: { layout: "wide" } });
    expect(table.columns.map(({ name, values }) => [name, [...values]])).toEqual([
      ["series", ["H1", "H1", "H1", "H2", "H2"]],
      ["index", [0, 1, 2, 0, 1]],
      ["value", [605, Number.NaN, 559, 3124, 2990]],
    ]);
    expect(table.rowLabel?.(4).replace(`${folder}/`, "")).toBe("wide.csv: line 3, column V3");
  });
});

describe("readTable, given bad input", () => {
  it("names line and column of text among numbers, past quotes, line breaks and empty lines", async () => {
    const folder = folderWith({ "data.csv": 'note,OT\n"two\nlines, ""quoted""",1\n\nplain,abc\n' });
    expect(await refusal(folder, [`${folder}/data.csv`], { roles: { numbers: ["OT"] } })).toBe(
      'DataError: data.csv: line 5, column OT is "abc", expected a number.\nMend the cell, or leave it empty when the value is missing.',
    );
  });

  it("knows decimal commas, infinities and columns of words", async () => {
    const folder = folderWith({ "comma.csv": "OT;k\n1;a\n2,5;b\n", "inf.csv": "OT,k\ninf,a\n" });
    expect(await refusal(folder, [`${folder}/comma.csv`], { roles: { numbers: ["OT"] } })).toBe(
      'DataError: comma.csv: line 3, column OT is "2,5", expected a number.\nWrite decimals with a point: 2.5.',
    );
    expect(await refusal(folder, [`${folder}/comma.csv`], { roles: { numbers: ["k"] } })).toBe(
      'DataError: comma.csv: line 2, column k is "a", expected a number.\nThe column holds no number at all: choose another, or list it under --categorical when it names categories.',
    );
    expect(await refusal(folder, [`${folder}/inf.csv`], { roles: { numbers: ["OT"] } })).toMatch(
      /^DataError: inf.csv: line 2, column OT is "inf", expected a number\./,
    );
  });

  it("refuses a file that is missing, a folder, empty, or of empty lines", async () => {
    const folder = folderWith({ "data.csv": csv, "empty.csv": "", "blank.csv": "\n\n", "sub/data.csv": csv });
    expect(await refusal(folder, [`${folder}/dota.csv`])).toBe(
      'DataError: dota.csv is missing, expected a data file.\nDid you mean "data.csv"?',
    );
    expect(await refusal(folder, [`${folder}/elsewhere/x.csv`])).toBe(
      "DataError: elsewhere/x.csv is missing, expected a data file.\nCheck the path; relative paths start at the working directory.",
    );
    expect(await refusal(folder, [`${folder}/sub`])).toBe(
      'DataError: sub is a folder, expected a data file.\nName the files in it, for example "sub/*.csv".',
    );
    expect(await refusal(folder, [`${folder}/empty.csv`])).toBe(
      "DataError: empty.csv is empty (0 bytes), expected rows of data.\nCheck what wrote the file; perhaps it is not finished.",
    );
    expect(await refusal(folder, [`${folder}/blank.csv`])).toBe(
      "DataError: blank.csv is a file of empty lines, expected rows of data.\nCheck what wrote the file; perhaps it is not finished.",
    );
  });

  it("refuses a header without rows, numbers for a header, and names that come twice", async () => {
    const folder = folderWith({ "header.csv": "a,b\n", "numbers.csv": "1,2.5\n3,4\n", "twice.csv": "a,b,a\n1,2,3\n" });
    expect(await refusal(folder, [`${folder}/header.csv`])).toBe(
      "DataError: header.csv is a header without rows, expected at least one row of data.\nCheck what wrote the file; perhaps it is not finished.",
    );
    expect(await refusal(folder, [`${folder}/numbers.csv`])).toBe(
      "DataError: numbers.csv: line 1 is numbers only (1, 2.5), expected column names.\nSay --no-header when the first line is data; the columns are then called column0, column1, ….",
    );
    expect(await refusal(folder, [`${folder}/twice.csv`])).toBe(
      'DataError: twice.csv: header: column "a" is there 2 times (columns 1, 3), expected a different name for each column.\nRename or remove the repeated columns.',
    );
  });

  it("refuses rows of another length and text that is not UTF-8, by line", async () => {
    const folder = folderWith({
      "ragged.csv": "a,b\n1,2\n3\n",
      "latin.csv": Buffer.from("a,b\n1,caf\xe9\n", "latin1"),
    });
    expect(await refusal(folder, [`${folder}/ragged.csv`])).toBe(
      "FormatError: ragged.csv: line 3 is a row of 1 cell, expected 2 cells, as in the first line.\nMend the line; text that holds the delimiter belongs in double quotes.",
    );
    expect(await refusal(folder, [`${folder}/latin.csv`])).toMatch(
      /^FormatError: latin.csv: line 2 is not readable \(Invalid unicode .*\), expected delimited text in UTF-8\./,
    );
  });

  it("refuses a broken Parquet file and broken JSON", async () => {
    const folder = folderWith({ "bad.parquet": "PAR1 and then nothing", "bad.jsonl": '{"a":1}\n{"a"}\n{"a":2}\n' });
    expect(await refusal(folder, [`${folder}/bad.parquet`])).toBe(
      "FormatError: bad.parquet is not readable as Parquet (No magic bytes found at end of file 'bad.parquet'), expected a whole Parquet file.\nWrite or copy the file again, or name its true format with --format.",
    );
    expect(await refusal(folder, [`${folder}/bad.jsonl`])).toBe(
      "FormatError: bad.jsonl: line 2 is not JSON, expected one JSON object on each line.\nMend the line; perhaps the file was cut off there.",
    );
  });

  it("refuses a glob without a match, an unknown ending, and files that differ in columns", async () => {
    const folder = folderWith({ "rates.dat": "a\n1\n", "a.csv": "x,y\n1,2\n", "b.csv": "x,z\n1,2\n" });
    expect(await refusal(folder, [`${folder}/*.tsv`])).toBe(
      'DataError: the glob "*.tsv" is matched by no file, expected at least one file.\nCheck the path; globs start at the working directory.',
    );
    expect(await refusal(folder, [`${folder}/rates.dat`])).toBe(
      "FormatError: rates.dat is a file with the unknown ending .dat, expected one of .csv, .tsv, .parquet, .json, .jsonl, .ndjson.\nSay what it holds with --format csv, tsv, parquet, json or jsonl.",
    );
    expect(await refusal(folder, [`${folder}/a.csv`, `${folder}/b.csv`])).toBe(
      "DataError: b.csv: columns is x, z, expected the columns of a.csv: x, y.\nRead files of the same columns, or join them with --sql.",
    );
  });

  it("refuses SQL that is wrong, no SELECT, without rows, or with a name twice", async () => {
    const files = "Files are named in single quotes, relative to the working directory: SELECT * FROM 'data.csv'.";
    expect(await refusal("", "SELCT 1")).toBe(
      `DataError: the SQL query is refused by DuckDB (Parser Error: syntax error at or near "SELCT"), expected one SELECT statement.\n${files}`,
    );
    expect(await refusal("", "CREATE TABLE x (a INT)")).toBe(
      `DataError: the SQL query is refused by DuckDB (it is not a SELECT), expected one SELECT statement.\n${files}`,
    );
    expect(await refusal("", "SELECT 1 AS a WHERE false")).toBe(
      "DataError: the SQL query is without rows, expected at least one row.\nCheck its WHERE clause and the files it reads.",
    );
    expect(await refusal("", "SELECT 1 AS a, 2 AS a")).toBe(
      'DataError: the SQL query: column "a" is there 2 times (columns 1, 2), expected a different name for each column.\nRename or remove the repeated columns.',
    );
  });

  it("refuses a column that is not there, with the nearest that is", async () => {
    const folder = folderWith({ "data.csv": csv });
    expect(await refusal(folder, [`${folder}/data.csv`], { roles: { numbers: ["OTT"] } })).toBe(
      'DataError: data.csv: column "OTT" is missing, expected one of date, OT, place.\nDid you mean "OT"?',
    );
  });

  it("refuses times that can be read in two ways, do not fit their format, or do not exist", async () => {
    const folder = folderWith({
      "days.csv": "Date,v\n03-01-00,1\n13-01-00,2\n",
      "odd.csv": `t,v\n${Array.from({ length: 20 }, (_, k) => `2016-0${k === 15 ? "2-30" : "7-01"},${k}`).join("\n")}\n`,
    });
    expect(await refusal(folder, [`${folder}/days.csv`])).toBe(
      'DataError: days.csv: line 2, column Date is "03-01-00", expected a time that can be read in one way only.\nSay how it is written: --time-format "%d-%m-%y" when the day comes first, "%m-%d-%y" when the month does.',
    );
    expect(await refusal(folder, [`${folder}/days.csv`], { reading: { timeFormat: "%m-%d-%y" } })).toBe(
      'DataError: days.csv: line 3, column Date is "13-01-00", expected a time written %m-%d-%y.\nMend the cell, or leave it empty when the value is missing.',
    );
    expect(await refusal(folder, [`${folder}/days.csv`], { reading: { timeFormat: "%Q" } })).toMatch(
      /^OptionError: --time-format is "%Q" \(.*\), expected a strptime format such as %d-%m-%y or %Y-%m-%d %H:%M\./,
    );
    const words = folderWith({ "words.csv": "when,v\nsoon,1\n" });
    expect(await refusal(words, [`${words}/words.csv`], { roles: { time: "when" } })).toBe(
      'DataError: words.csv: line 2, column when is "soon", expected a time such as 2016-07-01 00:00:00.\nName another column with --time, or say how this one is written with --time-format.',
    );
    expect(await refusal(folder, [`${folder}/odd.csv`])).toBe(
      'DataError: odd.csv: line 17, column t is "2016-02-30", expected a time such as 2016-07-01 00:00:00.\nMend the cell, or leave it empty when the value is missing.',
    );
  });

  it("refuses a wide file with text among its values or a name twice", async () => {
    const folder = folderWith({ "text.csv": "id,a,b\nH1,1,x\n", "twice.csv": "id,a\nH1,1\nH1,2\n" });
    expect(await refusal(folder, [`${folder}/text.csv`], { reading: { layout: "wide" } })).toBe(
      'DataError: text.csv: line 2, column b is "x", expected a number.\nMend the cell, or leave it empty when the value is missing.',
    );
    expect(await refusal(folder, [`${folder}/twice.csv`], { reading: { layout: "wide" } })).toBe(
      'DataError: twice.csv: line 3, column id is "H1", as in twice.csv: line 2, expected a different name for each series.\nGive each row its own name, or leave out --layout wide when each row is one timestep.',
    );
  });
});
