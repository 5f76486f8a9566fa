/** SVG as text: elements from names and attributes, with everything escaped. */
import { styleSheet } from "./theme.ts";

export type Attributes = Readonly<Record<string, string | number>>;

/** @param children markup, made by `element` or `escaped`. Numbers are rounded to a hundredth of a pixel. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? Math.round(100 * value) / 100 : escaped(value)}"`,
  );
  return children.length === 0
    ? `<${name}${written.join("")}/>`
    : `<${name}${written.join("")}>${children.join("")}</${name}>`;
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A whole file: the parts on a page with its heading `left` of them, and a description for who cannot see it. */
export function page(
  { width, height }: { readonly width: number; readonly height: number },
  { heading, description, left }: { readonly heading: string; readonly description: string; readonly left: number },
  ...parts: readonly string[]
): string {
  const svg = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-labelledby": "title description",
    },
    element("title", { id: "title" }, escaped(heading)),
    element("desc", { id: "description" }, escaped(description)),
    element("style", {}, styleSheet()),
    element("rect", { class: "page", width: "100%", height: "100%" }),
    element("text", { class: "heading", x: left, y: 30 }, escaped(heading)),
    ...parts,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg}\n`;
}
