/**
 * From one to many: a network that has read names writes new ones, letter by letter; bolder as the temperature rises, and the most
 * probable ones by beam search.
 * Run: node examples/notes/names.mjs
 */
import { crossEntropy, dense, embedding, recurrent, sequenceType } from "recurra";
import { gru } from "recurra/cells";
import { beamSearch, defineNetwork, generateTokens, Model } from "recurra/train";

const names =
  `aarav aditi akash amara anand anika anil anita anjali arjun arun asha ashok bhavna chandra deepa deepak devi dinesh divya gauri
geeta gopal hari indira isha jaya jyoti kamala karan kavita kiran krishna lakshmi lalita lata leela madhu mahesh maya meena mohan
nalini nandini neha nikhil nisha padma prakash prem priya radha rahul raj rajesh ramesh rani ravi rekha rohan rohini sanjay sarita
savita shanti sharmila shyam sita sunil sunita suresh tara uma usha varun vijay vikram vimala vinod vishal yash`.split(
    /\s+/,
  );

// One sign stands before each name and behind it.
const letters = [".", ...new Set(names.join(""))];
const mark = 0;
const time = Math.max(...names.map((name) => name.length)) + 1;

const table = embedding({ vocabSize: letters.length, size: 12 });
const layer = recurrent({ cell: gru, hiddenSize: 48 });
const output = dense({ outputSize: letters.length });
const network = defineNetwork({
  inputs: { token: sequenceType(1), next: sequenceType(1) },
  variableLengths: ["time"],
  forward({ token }, scope) {
    const h = layer.apply(table.apply(token, scope.in("letters")), scope.in("layer"));
    return { logits: output.apply(h, scope.in("output")) };
  },
  loss: ({ logits }, { next }, scope) => crossEntropy(logits, next, scope),
});

/** Names [names, time], cut or filled up: their letters from number `first` on, where number −1 is the mark. */
function lettersFrom(first) {
  return names.flatMap((name) => Array.from({ length: time }, (_, t) => letters.indexOf(name[t + first] ?? ".")));
}

const model = new Model(network, { seed: 1 });
const inputs = { token: lettersFrom(-1), next: lettersFrom(0), lengths: names.map((name) => name.length + 1) };
for (let step = 0; step <= 100; step++) {
  const { loss } = model.trainStep({ sizes: { batch: names.length, time }, inputs }, 0.01);
  if (step % 50 === 0) console.log(`step ${step}: ${loss.toFixed(2)} nats a letter`);
}

const written = ({ tokens }) => tokens.map((token) => letters[token]).join("");
const options = { first: mark, end: mark, steps: 12 };

for (const temperature of [0.3, 1, 2]) {
  const drawn = generateTokens(model.stream({ streams: 8 }), { ...options, temperature, seed: 7 });
  console.log(`temperature ${temperature}: ${drawn.map(written).join(" ")}`);
}
const nucleus = generateTokens(model.stream({ streams: 8 }), { ...options, temperature: 2, topP: 0.5, seed: 7 });
console.log(`temperature 2, nucleus 0.5: ${nucleus.map(written).join(" ")}`);

/** The most probable names with this beginning, and the share of all that begin so. */
function search(beginning, width) {
  const stream = model.stream({ streams: width });
  const prompt = [mark, ...[...beginning].map((letter) => letters.indexOf(letter))];
  for (const token of prompt.slice(0, -1)) {
    stream.inputs.token.fill(token);
    stream.step();
  }
  const found = beamSearch(stream, { ...options, first: prompt.at(-1) });
  return found.map((one) => `${beginning}${written(one)} ${(100 * Math.exp(one.logProbability)).toFixed(1)} %`);
}

for (const beginning of ["a", "ma", "ro"]) {
  console.log(`${beginning}…, one beginning followed: ${search(beginning, 1)[0]}`);
  console.log(`${beginning}…, eight: ${search(beginning, 8).slice(0, 4).join(", ")}`);
}
