/**
 * Writes docs/cells.md: every built-in cell with its equations, printed from the trace, its paper and its size.
 *
 *     npm run docs:cells
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as published from "recurra/cells";
import { cells, formulaOf } from "recurra/cells";

const sources = new URL("../packages/recurra/src/cells/", import.meta.url);
const page = new URL("../docs/cells.md", import.meta.url);

/** Docstrings by the name of what they stand before, and the last one with a source before each export. */
function docstrings() {
  const found = new Map();
  for (const file of readdirSync(sources)) {
    const text = readFileSync(new URL(file, sources), "utf8");
    let last;
    for (const [, comment, name] of text.matchAll(
      /(?:\/\*\*((?:(?!\*\/).)*)\*\/\n)?export (?:const|function) (\w+)/gs,
    )) {
      const own = comment?.includes("Source:") ? comment : last;
      if (own !== undefined) found.set(name, { file, text: plain(own) });
      last = own;
    }
  }
  return found;
}

const plain = (comment) =>
  comment
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n");

/** What is said before the equations, and the sentences that begin with a word of ours. */
function said({ text }) {
  const paragraph = (word) => {
    const from = text.indexOf(`${word}: `);
    const rest = from < 0 ? "" : text.slice(from + word.length + 2);
    const end = rest.search(/\n@throws|Deviations: |\n\n/);
    return (end < 0 ? rest : rest.slice(0, end)).replace(/\s+/g, " ").trim();
  };
  const about = text
    .split(/\n {4}\S|\n\n/)[0]
    .replace(/\s+/g, " ")
    .trim()
    .replace(/:$/, ".");
  return { about, source: paragraph("Source"), deviations: paragraph("Deviations") };
}

function aligned(lines) {
  const split = lines.map((line) => [line.slice(0, line.indexOf(" = ")), line.slice(line.indexOf(" = "))]);
  // Combining marks take no room.
  const width = (name) => [...name.normalize("NFC")].filter((letter) => !/\p{M}/u.test(letter)).length;
  const widest = Math.max(...split.map(([name]) => width(name)));
  return split.map(([name, rest]) => `${name}${" ".repeat(widest - width(name))}${rest}`);
}

export function cellsPage() {
  const documented = docstrings();
  const nameOf = (cell) => Object.entries(published).find(([, value]) => value === cell)[0];
  const count = (cell, sizes) =>
    formulaOf(cell, sizes).parameters.reduce(
      (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    );
  const equations = (cell, sizes, options) =>
    ["```text", ...aligned(formulaOf(cell, sizes, options).lines), "```"].join("\n");
  const section = (cell, name, sizes, where) => {
    const doc = documented.get(name);
    const { about, source, deviations } = said(doc);
    const [predicting, training] = [{}, { training: true }].map((options) => equations(cell, sizes, options));
    return [
      `## ${cell.name}`,
      about,
      predicting,
      ...(training === predicting ? [] : ["While training:", training]),
      `Source: ${source}`,
      ...(deviations === "none." ? [] : [`Deviations: ${deviations}`]),
      `\`${name}\` of \`recurra/cells\`; output \`${cell.output}\`; ${where}; [${doc.file}](../packages/recurra/src/cells/${doc.file})`,
    ].join("\n\n");
  };
  const parameters = (cell, sizes) => count(cell, sizes).toLocaleString("en");
  const builtIn = Object.values(cells).map((cell) => {
    // gru-d takes values, observations and gaps: a multiple of three.
    const inputSize = cell.name === "gru-d" ? 63 : 64;
    const size = `${parameters(cell, { inputSize, hiddenSize: 64 })} parameters for input ${inputSize}, hidden 64`;
    return section(cell, nameOf(cell), undefined, size);
  });
  const ofImages = [published.convLstm, published.convGru].map((make) => {
    const cell = make({ height: 16, width: 16 });
    const sizes = { inputSize: 16 * 16, hiddenSize: 16 * 16 * 8 };
    const images = "images of 16 × 16 with one channel, 8 hidden channels, kernels of 3 × 3";
    return section(
      cell,
      make.name,
      sizes,
      `a function of height and width; ${parameters(cell, sizes)} parameters for ${images}`,
    );
  });
  const sections = [...builtIn, ...ofImages];
  return `# Cells

Every built-in cell by the name that \`--cell\` and \`cellNamed\` take, and behind them the two for sequences of images. The equations are
printed from the program that runs, for one row of the batch: x is the input, a prime marks a state after the step, ⊙ multiplies element by
element, ∗ convolves, LN is layer normalisation, [a < b] is 1 where it holds and 0 elsewhere, s[1 of 4] is the first of four equal parts.
\`npm run docs:cells\` writes this page anew.

${sections.join("\n\n")}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, cellsPage());
