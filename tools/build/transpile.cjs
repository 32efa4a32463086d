// What ts-node compiles TypeScript with: swc, as its own `"swc": true` would, but each file once. Every
// test file runs in a process of its own, and most of them load the whole machine.
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const swc = require('ts-node/transpilers/swc');

const FOLDER = join(__dirname, '../../node_modules/.cache/transpiled');

/** Everything beside the file that decides what comes out. */
const versions = ['@swc/core', 'ts-node'].map(name => require(`${name}/package.json`).version);

const read = file => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
};

/** Whole or not at all: other processes read it. Where nothing can be kept, nothing is. */
const keep = (file, output) => {
  const own = `${file}.${process.pid}`;
  try {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(own, JSON.stringify(output));
    renameSync(own, file);
  } catch {
    rmSync(own, { force: true });
  }
};

exports.create = options => {
  const settings = JSON.stringify([versions, options.service.config.options]);
  let compiler = null;
  return {
    transpile: (code, { fileName }) => {
      const hash = createHash('sha1').update(settings).update(`\n${fileName}\n`).update(code);
      const file = join(FOLDER, `${hash.digest('hex')}.json`);
      const kept = read(file);
      if (kept !== null) return kept;
      compiler ??= swc.create(options);
      const output = compiler.transpile(code, { fileName });
      keep(file, output);
      return output;
    },
  };
};
