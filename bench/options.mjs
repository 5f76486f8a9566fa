/** Options of the bench's commands: what cannot be measured ends the command with one sentence. */
import { parseArgs } from "node:util";

/** `command` names who speaks. */
export function commandLine(command, options) {
  const refuse = (problem) => {
    console.error(`${command}: ${problem}`);
    process.exit(2);
  };
  const given = () => {
    try {
      return parseArgs({ options }).values;
    } catch (error) {
      return refuse(error.message);
    }
  };
  const values = given();
  /** One of several words. */
  const word = (name, possible) => {
    if (possible.includes(values[name])) return values[name];
    return refuse(`--${name} is "${values[name]}", expected ${possible.join(", ")}`);
  };
  /** Words with commas between them; undefined where the option is not given. */
  const words = (name, possible) => {
    const list = values[name]?.split(",");
    const unknown = list?.find((one) => !possible.includes(one));
    if (unknown !== undefined) refuse(`--${name} names "${unknown}", expected some of ${possible.join(", ")}`);
    return list;
  };
  /** 1, 2, 3, …; undefined where the option is not given. */
  const count = (name) => {
    if (values[name] === undefined) return undefined;
    const size = Number(values[name]);
    return size >= 1 && Number.isInteger(size) ? size : refuse(`--${name} is ${values[name]}, expected 1, 2, 3, …`);
  };
  return { values, refuse, word, words, count };
}
