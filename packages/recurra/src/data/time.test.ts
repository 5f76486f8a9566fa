import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatTime, parseTime } from "./time.ts";

describe("parseTime", () => {
  it.each([
    ["2016-07", Date.UTC(2016, 6, 1)],
    ["2016-07-01", Date.UTC(2016, 6, 1)],
    ["2016-07-01 13:05", Date.UTC(2016, 6, 1, 13, 5)],
    [" 2016-07-01T13:05:09.25Z ", Date.UTC(2016, 6, 1, 13, 5, 9, 250)],
    ["2016-07-01T13:05+02:00", Date.UTC(2016, 6, 1, 11, 5)],
    ["2016-07-01 13:05:00-0330", Date.UTC(2016, 6, 1, 16, 35)],
    ["2000-02-29", Date.UTC(2000, 1, 29)],
    ["0050-01-01", new Date("0050-01-01T00:00:00Z").getTime()],
  ])("reads %s, as UTC without a zone", (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  it.each(["", "2016", "03-01-00", "01/02/2016", "2016-13-01", "2015-02-29", "2016-07-01 25:00", "12.5", "H1"])(
    "does not guess what %j means",
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );

  it("reads back what formatTime prints, to the millisecond", () => {
    const dates = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseTime(formatTime(date.getTime()))).toBe(date.getTime());
      }),
    );
  });
});

describe("formatTime and formatDuration", () => {
  it("leave out what is zero", () => {
    expect(formatTime(Date.UTC(2016, 6, 1))).toBe("2016-07-01");
    expect(formatTime(Date.UTC(2016, 6, 1, 13))).toBe("2016-07-01 13:00");
    expect(formatTime(Date.UTC(2016, 6, 1, 13, 0, 5))).toBe("2016-07-01 13:00:05");
    expect(formatTime(Date.UTC(2016, 6, 1, 13, 0, 5, 40))).toBe("2016-07-01 13:00:05.040");
  });

  it("name a duration by the largest unit that divides it", () => {
    expect([86_400_000, 3_600_000, 900_000, 5400_000, 7000, 1500].map(formatDuration)).toEqual([
      "1 day",
      "1 hour",
      "15 minutes",
      "90 minutes",
      "7 seconds",
      "1500 milliseconds",
    ]);
  });
});
