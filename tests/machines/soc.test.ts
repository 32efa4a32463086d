import test from 'ava';
import { coreNamed } from '../../arch/arm/cores';
import { ASSUMED } from '../../arch/arm/profile';
import { isPowerOfTwo, MIB } from '../../drivers/base/types/bits';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { socFacts } from '../../machines/soc-facts';
import type { Fact } from '../../machines/soc-facts';
import { SOCS } from '../../machines/soc/socs';
import { onBoard } from '../support/boards';
import { dt } from '../support/dt';
import type { DtLiteral } from '../support/dt';

for (const { compatible, facts } of SOCS) {
  test(`${compatible.join(', ')}: the facts are plausible`, t => {
    t.true(compatible.length > 0 && Object.keys(facts).length > 0);
    for (const level of ['l1d', 'l2'] as const) {
      for (const [core, { value }] of Object.entries(facts[level] ?? {})) {
        const spec = coreNamed(core)[level];
        const [least, most] = spec?.sizes ?? [0, 0];
        const { size, ways, line } = value;
        t.true(least <= size && size <= most, `${core}: ${size}`);
        t.deepEqual([ways, line], [spec?.ways, spec?.line]);
        t.true(isPowerOfTwo(size / (ways * line)));
      }
    }
    const { core, dram, outer } = facts;
    if (core !== undefined) t.notThrows(() => coreNamed(core.value));
    if (dram !== undefined) {
      t.is(dram.value % (16 * MIB), 0);
      t.true(dram.value < 2 ** 48);
    }
    if (outer !== undefined) {
      const { size, ways, line } = outer.value;
      t.true(size >= 64 * 1024 && size <= 8 * MIB);
      t.true(isPowerOfTwo(size / (ways * line)));
      t.is(line, 32);
    }
  });
}

test('a string is in one entry only', t => {
  const strings = SOCS.flatMap(({ compatible }) => compatible);
  t.is(new Set(strings).size, strings.length);
});

test('the most specific string wins, fact by fact', t => {
  const facts = socFacts(['acme,board', 'ti,am5718', 'ti,dra7']);
  t.is(facts.l2?.['cortex-a15']?.value.size, 1 * MIB);
  t.is(facts.dram?.value, 0x8000_0000);
  t.is(socFacts(['ti,dra7']).l2?.['cortex-a15']?.value.size, 2 * MIB);
  t.deepEqual(socFacts([]), {});
});

const isAssumed = ({ source }: Fact<unknown>): boolean => source === ASSUMED;

/** How many facts nobody has looked up: lower it with each that somebody does. */
const MOST_ASSUMED = 104;

test('fewer and fewer facts of SoCs are assumed', t => {
  const all = SOCS.flatMap(({ facts: { core, l1d, l2, outer, dram } }): Fact<unknown>[] =>
    [core, outer, dram, ...Object.values(l1d ?? {}), ...Object.values(l2 ?? {})].filter(
      fact => fact !== undefined,
    ),
  );
  const assumed = all.filter(isAssumed).length;
  t.true(all.length > 240);
  t.true(assumed <= MOST_ASSUMED, `${assumed} are assumed`);
});

const machine = (compatible: readonly string[], extra: DtLiteral): MachinePlan =>
  planMachine(
    dt({
      compatible,
      '#address-cells': [1],
      '#size-cells': [1],
      soc: { compatible: 'simple-bus', '#address-cells': [1], '#size-cells': [1], ranges: true },
      ...extra,
    }),
    { memory: null, quirks: [] },
  );

const cpu = (compatible: string): DtLiteral => ({
  cpus: {
    '#address-cells': [1],
    '#size-cells': [0],
    'cpu@0': { device_type: 'cpu', compatible, reg: [0] },
  },
});

test('a Cortex-A7 has a second level if its SoC is known to have it', t => {
  const known = machine(['allwinner,sun7i-a20'], cpu('arm,cortex-a7')).cpus[0]?.l2;
  t.like(known, { level: 2, geometry: { size: 0x4_0000, ways: 8, line: 64 } });
  t.regex(known?.from ?? '', /^SoC table: data sheet/);
  t.is(machine(['acme,soc'], cpu('arm,cortex-a7')).cpus[0]?.l2, null);
});

test('a fact about one core is none about another', t => {
  t.is(machine(['allwinner,sun7i-a20'], cpu('arm,cortex-a8')).cpus[0]?.l2, null);
  const big = machine(['allwinner,sun9i-a80'], cpu('arm,cortex-a15')).cpus[0]?.l2;
  t.deepEqual(big?.geometry, { size: 2 * MIB, ways: 16, line: 64 });
});

test('RAM of a tree without any starts where the SoC has it', t => {
  const { memory, notes } = machine(['allwinner,sun9i-a80'], cpu('arm,cortex-a7'));
  t.is(memory.banks[0]?.base, 0x2000_0000n);
  t.regex(notes.join(), /no memory node: 512 MiB at 0x20000000 assumed \(SoC table: U-Boot/);
});

test('a memory node with a base but no size says where RAM starts, before the SoC', t => {
  const memory: DtLiteral = { 'memory@60000000': { device_type: 'memory', reg: [0x6000_0000, 0] } };
  const plan = machine(['allwinner,sun9i-a80'], { ...cpu('arm,cortex-a7'), ...memory });
  t.is(plan.memory.banks[0]?.base, 0x6000_0000n);
});

for (const [soc, core] of [
  ['arm,versatile-pb', 'arm926ej-s'],
  ['intel,ixp42x', 'xscale'],
  ['marvell,orion5x', 'feroceon'],
  ['mrvl,mmp2', 'pj4a'],
  ['qcom,msm8226', 'cortex-a7'],
  ['st,stm32f429', 'cortex-m4'],
  ['st,stm32f746', 'cortex-m7'],
] as const) {
  test(`${soc} has a ${core}, though its trees have no cpu node`, t => {
    const { cpus, notes } = machine([soc], {});
    t.deepEqual(
      cpus.map(({ path, core: { name } }) => [path, name]),
      [[null, core]],
    );
    t.regex(notes[0] ?? '', new RegExp(`^no cpu node in the tree: one ${core} \\(SoC table: `));
  });
}

test('a core without cpu nodes has the second level that its SoC has, or none', t => {
  t.is(machine(['qcom,msm8226'], {}).cpus[0]?.l2?.geometry.size, 512 * 1024);
  t.is(machine(['marvell,orion5x'], {}).cpus[0]?.l2, null);
});

test('a cpu node that does not say what it is is what the SoC has', t => {
  t.is(machine(['arm,integrator-cp'], cpu('cpu')).cpus[0]?.core.name, 'arm926ej-s');
});

for (const [board, size, ways] of [
  ['armhf/omap4-panda-es', 1024, 16],
  ['armhf/exynos4412-odroidu3', 1024, 16],
  ['armhf/imx6q-sabresd', 1024, 16],
  ['armhf/imx6dl-cubox-i-som-v15', 512, 16],
  ['armhf/imx6sx-softing-vining-2000', 256, 16],
  ['armhf/armada-388-clearfog', 1024, 16],
  ['armhf/highbank', 4096, 16],
  ['armhf/socfpga_cyclone5_socrates', 512, 8],
  ['armhf/vexpress-v2p-ca9', 512, 8],
] as const) {
  onBoard(board, `has an outer cache of ${size} KiB in ${ways} ways`, (t, tree) => {
    const { outer } = planMachine(tree, { memory: null, quirks: [] });
    t.true(outer?.driven);
    t.deepEqual(outer?.plan.geometry, { size: size * 1024, ways, line: 32 });
  });
}

for (const [board, kib] of [
  ['armhf/am335x-boneblack', 256],
  ['armhf/sun4i-a10-mk802', 256],
  ['armhf/sun7i-a20-olinuxino-lime2-emmc', 256],
  ['armhf/sun8i-h3-orangepi-pc', 512],
  ['armhf/imx6ul-ccimx6ulsbcpro', 128],
  ['armhf/imx7d-sdb-reva', 512],
  ['armhf/rk3288-evb-rk808', 1024],
  ['armhf/am572x-idk', 2048],
  ['arm64/rk3328-rock64', 256],
  ['arm64/zynqmp-zcu102-rev1.0', 1024],
] as const) {
  onBoard(board, `has a second level of ${kib} KiB`, (t, tree) => {
    const { cpus } = planMachine(tree, { memory: null, quirks: [] });
    t.is(cpus[0]?.l2?.geometry.size, kib * 1024);
  });
}
