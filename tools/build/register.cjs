// ts-node/register for the tests: the same, without the third of a second that ts-node and the
// compiler it loads take, in each of some hundred processes, while all it would do has been kept.
const { Buffer } = require('node:buffer');
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { find } = require('./kept.cjs');

const sourceMaps = createRequire(require.resolve('ts-node'))('@cspotcode/source-map-support');

/** By the path of the file, its code with the map that leads back to it. */
const outputs = new Map();

sourceMaps.install({
  environment: 'node',
  retrieveFile: path => outputs.get(path) ?? '',
  redirectConflictingLibrary: true,
});

/** Not in one piece: what looks for a map in this file finds none. */
const MAP = ['//#', 'sourceMappingURL=data:application/json;base64,'].join(' ');

const withMap = (file, { outputText, sourceMapText }) => {
  const map = { ...JSON.parse(sourceMapText), file, sources: [file] };
  delete map.sourceRoot;
  const text = Buffer.from(JSON.stringify(map)).toString('base64');
  return `${outputText}\n${MAP}${text}`;
};

const { extensions } = require;

extensions['.ts'] = (module, file) => {
  const kept = find(file, readFileSync(file, 'utf8'));
  if (kept === null) {
    // From here on ts-node does everything.
    delete extensions['.ts'];
    require('ts-node/register');
    extensions['.ts'](module, file);
    return;
  }
  const output = withMap(file, kept);
  outputs.set(file, output);
  module._compile(output, file);
};
