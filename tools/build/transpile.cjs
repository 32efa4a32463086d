// What ts-node compiles TypeScript with: swc, as its own `"swc": true` would, but each file once. Every
// test file runs in a process of its own, and most of them load the whole machine.
const { find, keep } = require('./kept.cjs');
const swc = require('ts-node/transpilers/swc');

exports.create = options => {
  let compiler = null;
  return {
    transpile: (code, { fileName }) => {
      const kept = find(fileName, code);
      if (kept !== null) return kept;
      compiler ??= swc.create(options);
      const output = compiler.transpile(code, { fileName });
      keep(fileName, code, output);
      return output;
    },
  };
};
