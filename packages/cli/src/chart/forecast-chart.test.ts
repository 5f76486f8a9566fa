import { describe, expect, it } from "vitest";
import { fakeView } from "../../test-support/fakes.ts";
import { forecastChart } from "./forecast-chart.ts";

/** Elements with their classes and texts, without coordinates: what a reader sees, in order. */
function structure(svg: string): readonly string[] {
  const parts = svg.matchAll(/<(text|path|line|rect|g|title|desc)\b([^>]*?)\/?>(?:([^<]*)<\/\1>)?/g);
  return [...parts].flatMap(([, name, attributes, text]) => {
    const kind = /class="([^"]*)"/.exec(attributes ?? "")?.[1];
    return kind === "grid" ? [] : [[name, kind, text].filter(Boolean).join(" ")];
  });
}

describe("forecastChart", () => {
  it("shows past, actual, naive, forecast and band of each window under a legend", () => {
    const svg = forecastChart("OT: forecast of 24 timesteps", [fakeView({})]) ?? "";
    expect(structure(svg)).toMatchInlineSnapshot(`
      [
        "title OT: forecast of 24 timesteps",
        "desc Lines of the actual values, the forecast and the seasonal naive forecast. a: OT from 2018-06-05 00:00:00: 24 timesteps, mean absolute error 0.400, seasonal naive 0.667.",
        "rect page",
        "text heading OT: forecast of 24 timesteps",
        "g",
        "path line actual",
        "text actual",
        "path line forecast",
        "text forecast",
        "path line naive",
        "text seasonal naive",
        "rect band",
        "text 10% to 90% quantile",
        "g",
        "text panel OT from 2018-06-05 00:00:00",
        "text 0",
        "text 5",
        "text 10",
        "text 15",
        "text 20",
        "text 2 Jun",
        "text 12:00",
        "text 3 Jun",
        "text 12:00",
        "text 4 Jun",
        "text 12:00",
        "text 5 Jun",
        "text 12:00",
        "line now",
        "path band",
        "path line actual",
        "path line naive",
        "path line forecast",
      ]
    `);
  });

  it("is well-formed, self-contained, described and readable on dark pages", () => {
    const svg = forecastChart("a < b & c", [fakeView({ target: '<"&>', withBand: false })]) ?? "";
    const open: string[] = [];
    for (const [, closing, name, alone] of svg.replace(/<\?.*?\?>/, "").matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (closing === "/") expect(open.pop()).toBe(name);
      else if (alone !== "/") open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).not.toMatch(/href|url\(|NaN|undefined/);
    expect(svg).toContain('<title id="title">a &lt; b &amp; c</title>');
    expect(svg).toContain("@media (prefers-color-scheme: dark)");
    expect(svg).toMatch(/<desc id="description">.*mean absolute error 0\.400, seasonal naive 0\.\d+\.<\/desc>/);
    expect(svg).not.toContain('class="band"');
  });

  it("leaves a gap where a value is missing", () => {
    const view = fakeView({});
    const svg =
      forecastChart("gap", [{ ...view, past: view.past.map((value, k) => (k === 80 ? Number.NaN : value)) }]) ?? "";
    const actual = /class="line actual" d="(M[^H"]*)"/.exec(svg)?.[1] ?? "";
    expect(actual.match(/M/g)?.length).toBe(2);
  });

  it("labels timesteps without times by their number", () => {
    const svg = forecastChart("index", [fakeView({ timed: false })]) ?? "";
    expect(svg).toContain(">OT from timestep 96<");
    expect(svg).toMatch(/>(40|60|80|100)</);
  });

  it("is not made when there is no window", () => {
    expect(forecastChart("nothing", [])).toBeUndefined();
  });
});
