import { benchCpu } from './cpu';

/** Benchmarks by name. They print ratios against what is measured in the same run. */
const BENCHES: Readonly<Record<string, (file: string | null) => void>> = { cpu: benchCpu };

const [name = '', ...rest] = process.argv.slice(2);
const at = rest.indexOf('--trace');
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--trace FILE]`);
  process.exitCode = 2;
} else {
  bench(at < 0 ? null : (rest[at + 1] ?? null));
}
