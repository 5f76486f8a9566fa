/** Sentences as one-hot rows: what the examples of this folder share. */

/** The different words of some sentences, in the order in which they appear. */
export function vocabularyOf(sentences) {
  return [...new Set(sentences.flatMap((sentence) => sentence.split(" ")))];
}

/** [sentences, longest, words] and the true lengths; behind a sentence's end stands whatever stands there: it never matters. */
export function oneHot(sentences, vocabulary) {
  const split = sentences.map((sentence) => sentence.split(" "));
  const time = Math.max(...split.map((words) => words.length));
  const x = new Float32Array(sentences.length * time * vocabulary.length);
  for (const [row, words] of split.entries()) {
    for (const [t, word] of words.entries()) x[(row * time + t) * vocabulary.length + vocabulary.indexOf(word)] = 1;
  }
  return { x, lengths: split.map((words) => words.length), time };
}

/** Where a row of scores is largest. */
export function likeliest(scores) {
  return scores.indexOf(Math.max(...scores));
}

export function rowsOf(values, width) {
  return Array.from({ length: values.length / width }, (_, row) => [...values.slice(row * width, (row + 1) * width)]);
}
