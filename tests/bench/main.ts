import { parseArgs } from 'node:util';
import { InputError } from '../../drivers/base/types/errors';
import { WrongUse, readArguments } from '../support/script';
import { benchChecker } from './checker';
import { benchCpu } from './cpu';
import { benchGpu } from './gpu';
import { benchIommu } from './iommu';
import { benchScaling } from './scaling';

/** Benchmarks by name. They print ratios against what is measured in the same run. */
const BENCHES: ReadonlyMap<string, (file: string | null) => void> = new Map([
  ['cpu', benchCpu],
  ['checker', benchChecker],
  ['scaling', benchScaling],
  ['iommu', benchIommu],
  ['gpu', benchGpu],
]);

const parse = (): (() => void) => {
  const options = { trace: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [name = '', ...others] = positionals;
  const bench = BENCHES.get(name);
  if (bench === undefined || others.length > 0) throw new WrongUse('which benchmark?');
  return () => {
    bench(values.trace ?? null);
  };
};

try {
  const usage = `npm run bench -- ${[...BENCHES.keys()].join('|')} [--trace FILE]`;
  readArguments(usage, parse)?.();
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
