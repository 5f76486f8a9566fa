/** Runs one claim and prints its results as JSON: node --expose-gc claims/run.mjs NAME */
const { measure } = await import(`./${process.argv[2]}.mjs`);
process.stdout.write(JSON.stringify(await measure()));
process.exit(0);
