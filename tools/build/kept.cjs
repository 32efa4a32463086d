// What TypeScript files become, kept between processes: { outputText, sourceMapText } of each.
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const ROOT = join(__dirname, '../..');
const FOLDER = join(ROOT, 'node_modules/.cache/transpiled');

/** Everything beside the file that decides what comes out. */
const SETTINGS = JSON.stringify([
  ...['@swc/core', 'ts-node'].map(name => require(`${name}/package.json`).version),
  readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'),
]);

const fileOf = (fileName, code) => {
  const hash = createHash('sha1').update(SETTINGS).update(`\n${fileName}\n`).update(code);
  return join(FOLDER, `${hash.digest('hex')}.json`);
};

/** Null for what is not kept. */
exports.find = (fileName, code) => {
  try {
    return JSON.parse(readFileSync(fileOf(fileName, code), 'utf8'));
  } catch {
    return null;
  }
};

/** Whole or not at all: other processes read it. Where nothing can be kept, nothing is. */
exports.keep = (fileName, code, output) => {
  const file = fileOf(fileName, code);
  const own = `${file}.${process.pid}`;
  try {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(own, JSON.stringify(output));
    renameSync(own, file);
  } catch {
    rmSync(own, { force: true });
  }
};
