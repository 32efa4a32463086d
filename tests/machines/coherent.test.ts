import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { InputError } from '../../drivers/base/types/errors';
import { MIB } from '../../drivers/base/types/bits';
import { Random } from '../../drivers/base/types/random';
import { readDts } from '../../drivers/of/dts';
import { loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import { planMachine } from '../../machines/plan';
import type { MachinePlan, PlanOptions } from '../../machines/plan';
import { BOARD_FOLDER } from '../support/board-folder';

const planOf = (board: string, options: Partial<PlanOptions> = {}): MachinePlan =>
  planMachine(loadBoard(board, BOARD_FOLDER), { memory: null, quirks: [], ...options });

const boot = (plan: MachinePlan): ReturnType<typeof bootMachine> =>
  bootMachine(plan, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

/** A machine with this in its /chosen. */
const withChosen = (text: string): MachinePlan => {
  const source = `/dts-v1/;
/ {
  #address-cells = <1>;
  #size-cells = <1>;
  compatible = "test";
  cpus {
    #address-cells = <1>;
    #size-cells = <0>;
    cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a9"; reg = <0>; };
  };
  memory@80000000 { device_type = "memory"; reg = <0x80000000 0x4000000>; };
  chosen { dmabench,coherent = "${text}"; };
};`;
  const tree = readDts(source, 'test.dts', { include: () => undefined, incbin: () => undefined });
  return planMachine(tree, { memory: null, quirks: [] });
};

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
};

test('memory is remapped where the cacheable mapping that stays does no harm, else it is of CMA', t => {
  const names = ['versatile-pb', 'rpi-b', 'pandaboard', 'vexpress-a15', 'juno'].map(
    board => planOf(board).coherent,
  );
  t.deepEqual(names, ['legacy-remap', 'legacy-remap', 'cma-remap', 'cma-remap', 'legacy-remap']);
});

test('a tree may choose, and a user may choose otherwise', t => {
  const plan = withChosen('carveout');
  t.is(plan.coherent, 'carveout');
  t.is(boot(plan).kernel.coherent.name, 'carveout');
  t.is(planOf('pandaboard', { coherent: 'highmem' }).coherent, 'highmem');
});

test('a strategy that there is none of is refused, with those that there are', t => {
  const message = messageOf(() => withChosen('magic'));
  t.regex(message, /^\/chosen: property 'dmabench,coherent': expected legacy-remap, .*'magic'$/);
});

test("the tree's default pool is what CMA is of", t => {
  const plan = planOf('rpi-b', { coherent: 'cma-remap' });
  const pool = plan.memory.reserved.regions.find(({ cmaDefault }) => cmaDefault);
  const { kernel } = boot(plan);
  const limit = (2 ** 40) as Parameters<typeof kernel.coherent.alloc>[0]['limit'];
  const request = { size: 4096, memory: 'dmacoherent', gfp: {}, limit } as const;
  const block = kernel.coherent.alloc(request);
  if ('refused' in block) return t.fail(block.refused);
  const offset = block.phys - Number(pool?.base);
  t.true(offset >= 0 && offset < Number(pool?.size));
  kernel.coherent.free(block);
});

test('a linear map of more pages than are built is refused before it is built', t => {
  const large = planOf('juno', { coherent: 'rewrite-linear' });
  t.regex(
    messageOf(() => boot(large)),
    /^rewrite-linear: expected at most 1073741824 bytes of RAM, all mapped in pages/,
  );
  const small = planOf('juno', { coherent: 'rewrite-linear', memory: 16 * MIB });
  t.is(boot(small).kernel.coherent.name, 'rewrite-linear');
});
