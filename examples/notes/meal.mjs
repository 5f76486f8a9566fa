/**
 * He prepared a meal, he prepared an application: "a" or "an" depends on the word behind it. A network that reads forwards cannot
 * know it; one that reads in both directions can.
 * Run: node examples/notes/meal.mjs
 */
import { binaryCrossEntropy, dense, recurrent, sequenceType, sequential } from "recurra";
import { lstm } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";
import { oneHot, vocabularyOf } from "./words.mjs";

const objects = ["meal", "application", "report", "essay", "plan", "answer"];
const sentences = objects.map((object) => `he prepared ARTICLE ${object}`);
const vocabulary = vocabularyOf(sentences);

/** For every word: would it be "an"? Only the answer at the article counts. */
function trained(direction) {
  const layers = sequential(recurrent({ cell: lstm, hiddenSize: 8, direction }), dense({ outputSize: 1 }));
  const network = defineNetwork({
    inputs: { words: sequenceType(vocabulary.length), an: sequenceType(1), mask: sequenceType(1) },
    forward: ({ words }, scope) => ({ logit: layers.apply(words, scope) }),
    loss: ({ logit }, { an, mask }, scope) => binaryCrossEntropy(logit, an, scope, mask),
  });
  const { x, time } = oneHot(sentences, vocabulary);
  const isArticle = (i) => i % time === 2;
  const answers = sentences.flatMap((_, row) =>
    Array.from({ length: time }, () => (/^[aeiou]/.test(objects[row]) ? 1 : 0)),
  );
  const mask = answers.map((_, i) => (isArticle(i) ? 1 : 0));
  const batch = { sizes: { batch: sentences.length, time }, inputs: { words: x, an: answers, mask } };
  const model = new Model(network, { seed: 1 });
  let loss = 0;
  for (let step = 0; step < 300; step++) ({ loss } = model.trainStep(batch, 0.03));
  const { logit } = model.predict(batch);
  const right = objects.filter((_, row) => logit[row * time + 2] > 0 === (answers[row * time + 2] === 1)).length;
  return { loss, right };
}

for (const direction of ["forward", "both"]) {
  const { loss, right } = trained(direction);
  const name = direction === "both" ? "in both directions" : "forwards only";
  console.log(`${name}: loss ${loss.toFixed(3)}, ${right} of ${objects.length} articles right`);
}
