// ts-node/register for the tests: the same, without the quarter of a second that ts-node and the
// compiler take to load, in each of some hundred processes, while all they would do has been kept.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { find } = require('./kept.cjs');

const sourceMaps = createRequire(require.resolve('ts-node'))('@cspotcode/source-map-support');

/** By the path of a file, the map that leads back to it. */
const maps = new Map();

sourceMaps.install({
  environment: 'node',
  retrieveSourceMap: path => {
    const text = maps.get(path);
    if (text === undefined) return null;
    return { url: path, map: { ...JSON.parse(text), sources: [path] } };
  },
  redirectConflictingLibrary: true,
});

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
  maps.set(file, kept.sourceMapText);
  module._compile(kept.outputText, file);
};
