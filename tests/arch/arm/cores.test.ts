import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { CORES, UNMODELLED_CORES, coreFor } from '../../../arch/arm/cores';
import { V5, V6, V7, V7M, V7_LPAE, V8 } from '../../../arch/arm/cores/families';
import type { Family } from '../../../arch/arm/cores/families';
import { ASSUMED, colours, figureSource } from '../../../arch/arm/profile';
import type {
  Architecture,
  CacheSpec,
  CoreProfile,
  ProfileFigure,
} from '../../../arch/arm/profile';
import { isPowerOfTwo } from '../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../drivers/base/types/errors';

const cachesOf = ({ l1d, l1i, l2 }: CoreProfile): CacheSpec[] =>
  [l1d, l1i, l2].filter(cache => cache !== null);

for (const core of CORES) {
  test(`${core.name}: its caches can be built`, t => {
    const caches = cachesOf(core);
    t.is(caches.length === 0, core.l1d === null);
    for (const { size, sizes, ways, line } of caches) {
      const [least, most] = sizes;
      t.true(least <= size && size <= most);
      t.true(isPowerOfTwo(line) && line >= 16 && line <= 128);
      t.true(Number.isInteger(ways) && ways >= 1 && ways <= 64);
      t.true(isPowerOfTwo(size / (ways * line)));
    }
  });

  test(`${core.name}: its flags do not contradict each other`, t => {
    const isOld = core.architecture === 'v4' || core.architecture === 'v5';
    t.is(core.l1d?.indexing === 'vivt', isOld);
    if (core.l1d?.indexing === 'vipt') t.is(core.architecture, 'v6');
    if (core.architecture !== 'v6' && core.l1d !== null && !isOld) t.is(colours(core.l1d), 1);
    t.is(core.tables.includes('v8'), core.architecture === 'v8');
    t.is(core.tables.length === 0, core.architecture === 'v7m');
    if (!core.multiprocessor) t.false(core.maintenanceBroadcast);
    if (core.walker === 'l2') t.not(core.l2, null);
    if (core.l2 !== null && core.l1d !== null) t.true(core.l2.line >= core.l1d.line);
    t.true(Number.isInteger(core.midr) && core.midr > 0 && core.midr < 2 ** 32);
  });

  test(`${core.name}: its sources are for figures that it has`, t => {
    for (const [figure, source] of Object.entries(core.sources)) {
      t.true(figure in core, figure);
      t.regex(source, /^\S(.*\S)?$/);
      t.not(source, ASSUMED);
    }
  });
}

const FAMILIES: Readonly<Record<Architecture, readonly Family[]>> = {
  v4: [V5],
  v5: [V5],
  v6: [V6],
  v7: [V7, V7_LPAE],
  v7m: [V7M],
  v8: [V8],
};

test('a source that a family gives is for the value of the family', t => {
  const wrong = CORES.flatMap(core =>
    FAMILIES[core.architecture].flatMap(family =>
      Object.entries(family.sources)
        .filter(([figure, source]) => isFigure(figure) && core.sources[figure] === source)
        .filter(([key]) => !isDeepStrictEqual(figureOf(core, key), figureOf(family, key)))
        .map(([key]) => `${core.name}: ${key}`),
    ),
  );
  t.deepEqual(wrong, []);
});

test('a name and a compatible string mean one core', t => {
  const names = CORES.map(({ name }) => name);
  t.is(new Set(names).size, names.length);
  const strings = [...CORES.flatMap(({ compatible }) => compatible), ...UNMODELLED_CORES.keys()];
  t.is(new Set(strings).size, strings.length);
});

test('a core is found by the first of its strings that is known', t => {
  t.is(coreFor(['acme,core', 'arm,cortex-a7', 'arm,cortex-a9'])?.core.name, 'cortex-a7');
  t.is(coreFor(['acme,core']), null);
  t.throws(() => coreFor(['acme,core', 'arm,arm720t']), { instanceOf: UnmodelledError });
});

test('no string is a core by being a property of every object', t => {
  t.is(coreFor(['constructor', '__proto__', 'toString']), null);
  t.is(coreFor(['constructor', 'arm,cortex-a9'])?.core.name, 'cortex-a9');
});

const figureOf = (row: Family, figure: string): unknown =>
  Object.entries(row).find(([key]) => key === figure)?.[1];

const isFigure = (key: string): key is ProfileFigure =>
  !['name', 'compatible', 'architecture', 'sources'].includes(key);

/** How many figures of all cores nobody has looked up: lower it with each that somebody does. */
const MOST_ASSUMED = 390;

test('fewer and fewer figures of the core table are assumed', t => {
  const assumed = CORES.flatMap(core =>
    Object.entries(core)
      .filter(([key, value]) => isFigure(key) && value !== null)
      .filter(([key]) => isFigure(key) && figureSource(core, key) === ASSUMED)
      .map(([key]) => `${core.name}: ${key}`),
  );
  t.true(assumed.length <= MOST_ASSUMED, `${assumed.length} are assumed:\n${assumed.join('\n')}`);
});
