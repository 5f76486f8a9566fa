/** A single run, for processes.mjs: a job as JSON in the first argument, the run as JSON on standard output, its progress on standard error. */
import { runOf } from "./learn.mjs";
import { chooseTasks } from "./tasks/list.mjs";

const { task: name, model: modelName, seed, folder, limit } = JSON.parse(process.argv[2]);
const [task] = chooseTasks({ quick: false, data: folder, only: [name] });
const model = task.models.find((one) => one.name === modelName);
const run = await runOf(task, model, seed, { folder, limit, say: (line) => process.stderr.write(`${line}\n`) });
process.stdout.write(JSON.stringify(run), () => process.exit(0));
