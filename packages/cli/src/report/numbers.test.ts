import { expect, it } from "vitest";
import { alignTable, clock, short, timestamp } from "./numbers.ts";

it("prints numbers with four significant digits", () => {
  expect([0, 0.0321456, 12.345, 104_200, 1.23456e-9, -5.5, Number.NaN].map(short)).toEqual([
    "0",
    "0.03215",
    "12.35",
    "104,200",
    "1.23e-9",
    "-5.500",
    "–",
  ]);
});

it("prints spans of time", () => {
  expect([7, 750, 3723, Number.POSITIVE_INFINITY].map(clock)).toEqual(["0:07", "12:30", "1:02:03", "-:--"]);
});

it("prints times in UTC and indices as they are", () => {
  expect([
    timestamp(Date.UTC(2016, 6, 1), true),
    timestamp(Date.UTC(2016, 6, 1) + 5, true),
    timestamp(17, false),
  ]).toEqual(["2016-07-01 00:00:00", "2016-07-01 00:00:00.005", "17"]);
});

it("aligns the first column left and the others right", () => {
  expect(
    alignTable([
      ["", "MAE"],
      ["model", "1"],
      ["last value", "20.5"],
    ]),
  ).toBe("             MAE\nmodel          1\nlast value  20.5\n");
});
