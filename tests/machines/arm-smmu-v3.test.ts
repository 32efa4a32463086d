import test from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { EIO } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { dmaAddr, offsetBy } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { InputError, invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { SmmuV3Device } from '../../drivers/iommu/arm-smmu-v3/driver';
import type { CommandQueue } from '../../drivers/iommu/arm-smmu-v3/driver/command-queue';
import { Opcode } from '../../drivers/iommu/arm-smmu-v3/regs/commands';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { TestMasterDevice } from '../../drivers/misc/test-master/driver';
import { readDts } from '../../drivers/of/dts';
import { bootMachine } from '../../machines/boot';
import type { BootOptions } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { iommuMap } from '../../mm/iommu/map';
import { IommuProt } from '../../mm/iommu/types';

/*
 * Masters behind SMMUv3, on a whole machine. One SMMU does not snoop and has stage 1 and a stream table
 * of two levels; the other snoops, and has stage 2 alone and a stream table of one level.
 */

const BOARD = (second = ''): string => `/dts-v1/;
/ {
	compatible = "dmabench,two-smmus";
	#address-cells = <1>;
	#size-cells = <1>;
	interrupt-parent = <&gic>;
	cpus {
		#address-cells = <1>;
		#size-cells = <0>;
		cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a9"; reg = <0>; };
	};
	memory@80000000 { device_type = "memory"; reg = <0x80000000 0x2000000>; };
	gic: interrupt-controller@48241000 {
		compatible = "arm,cortex-a9-gic";
		reg = <0x48241000 0x1000>, <0x48240100 0x100>;
		interrupt-controller;
		#interrupt-cells = <3>;
	};
	soc {
		compatible = "simple-bus";
		#address-cells = <1>;
		#size-cells = <1>;
		ranges;
		one: iommu@50000000 {
			compatible = "arm,smmu-v3";
			reg = <0x50000000 0x20000>;
			interrupts = <0 40 1>, <0 41 1>;
			interrupt-names = "eventq", "gerror";
			#iommu-cells = <1>;
		};
		two: iommu@51000000 {
			compatible = "arm,smmu-v3";
			reg = <0x51000000 0x20000>;
			interrupts = <0 42 1>;
			interrupt-names = "combined";
			#iommu-cells = <1>;
			dma-coherent;
			dmabench,stage = <2>;
			dmabench,stream-id-bits = <6>;
		};
		camera@52000000 {
			compatible = "dmabench,master";
			reg = <0x52000000 0x1000>;
			iommus = <&one 0x1203>;
			dma-can-stall;
		};
		net@53000000 {
			compatible = "dmabench,coherent-master";
			reg = <0x53000000 0x1000>;
			iommus = <&two ${second || '0x3f'}>;
			dma-coherent;
			dma-can-stall;
		};
	};
};`;

const planOf = (text: string): MachinePlan => {
  const tree = readDts(text, 'two-smmus.dts', {
    include: () => undefined,
    incbin: () => undefined,
  });
  return planMachine(tree, { memory: null, quirks: [] });
};

const PLAN = planOf(BOARD());

const booted = (adversary: BootOptions['adversary']): Machine =>
  bootMachine(PLAN, {
    adversary,
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

const LRU = booted(new LruAdversary());
const ALL = booted('all');
const BOOT = LRU.kernel.log.lines.splice(0).map(({ text }) => text);
const SMMUS = ['iommu@50000000', 'iommu@51000000'];

const masterBehind = (machine: Machine, smmu: string): TestMasterDevice => {
  const master = machine.masters.find(({ plan }) => plan.label.includes(`behind ${smmu}`));
  invariant(master !== undefined, `nobody is behind ${smmu}`);
  return master.device;
};

const buffer = ({ kernel }: Machine): CpuAddr => {
  const at = kernel.slab.kmalloc(PAGE_SIZE, GFP_KERNEL);
  invariant(at !== null, 'no memory');
  for (let i = 0; i < 64; i += 4) kernel.cpu.store32(at + i, 0);
  return at;
};

const mapped = ({ dev }: TestMasterDevice, at: CpuAddr): DmaAddr => {
  const address = dmaMapSingle(dev, at, PAGE_SIZE, DmaDirection.FromDevice);
  invariant(dmaMappingError(dev, address) === 0, 'not mapped');
  return address;
};

const unmapped = ({ dev }: TestMasterDevice, address: DmaAddr): void => {
  dmaUnmapSingle(dev, address, PAGE_SIZE, DmaDirection.FromDevice);
};

/** What the kernel has said since the last time, without addresses. */
const said = ({ kernel }: Machine): string[] => kernel.log.lines.splice(0).map(({ text }) => text);

const rules = ({ findings }: Machine): string[] => [
  ...new Set((findings?.take() ?? []).map(({ rule }) => rule)),
];

test('it comes up, and says how', t => {
  t.true(BOOT.includes('arm-smmu-v3 iommu@50000000: ias 48-bit, oas 48-bit'));
  t.true(
    BOOT.includes('arm-smmu-v3 iommu@51000000: msi_domain absent - falling back to wired irqs'),
  );
  t.false(
    BOOT.some(line => /timeout|error|failed/i.test(line)),
    BOOT.join('\n'),
  );
  t.is(LRU.iommus.size, 2);
  t.deepEqual(LRU.hardware.guestErrors.take(), []);
});

for (const smmu of SMMUS) {
  test(`${smmu}: a device writes what it was given, and nothing after that; nothing is found`, t => {
    for (const machine of [LRU, ALL]) {
      const master = masterBehind(machine, smmu);
      const at = buffer(machine);
      for (let round = 1; round <= 3; round++) {
        const address = mapped(master, at);
        t.is(master.writePattern(address, 64, round), 0);
        unmapped(master, address);
        t.is(machine.kernel.cpu.load8(at + 5), patternByte(round, 5));
      }
      t.deepEqual(rules(machine), []);
    }
  });
}

for (const smmu of SMMUS) {
  test.serial(`${smmu}: what nobody takes care of is said, and the device has its error`, t => {
    const master = masterBehind(LRU, smmu);
    said(LRU);
    t.is(master.writePattern(dmaAddr(0x123_4000), 64, 1), -EIO);
    const [first, ...words] = said(LRU);
    t.is(first, `arm-smmu-v3 ${smmu}: event 0x10 received:`);
    t.is(words.length, 4);
    t.regex(words[2] ?? '', /0x0000000001234000$/);
    t.true(words.every(word => /^arm-smmu-v3 \S+: \t0x[0-9a-f]{16}$/.test(word)));
    t.is(master.writePattern(dmaAddr(0x123_4000), 64, 1), -EIO, 'and again');
    t.is(said(LRU).length, 5);
  });

  test.serial(
    `${smmu}: blocked, then a domain of its own, in which what waits is tried again`,
    t => {
      const { iommus, mm } = LRU.kernel;
      const master = masterBehind(LRU, smmu);
      const { dev } = master;
      const at = buffer(LRU);
      const physical = mm.layout.virtToPhys(at);
      invariant(physical !== null, 'no lowmem');
      t.is(iommus.claimDmaOwner(dev), 0);
      t.is(master.writePattern(dmaAddr(physical), 64, 1), -EIO);
      said(LRU);
      const domain = iommus.domainAlloc(dev);
      const ops = domain?.ops ?? null;
      invariant(domain !== null && ops !== null, 'no memory');
      t.is(iommus.attachDevice(domain, dev), 0);
      const iova = dmaAddr(0x4000_0000);
      const faults: string[] = [];
      iommus.setFaultHandler(domain, ({ address, cause, write }) => {
        faults.push(`${cause}, ${write ? 'write' : 'read'} of ${address - iova}`);
        return iommuMap(ops, iova, physical, PAGE_SIZE, IommuProt.Read + IommuProt.Write);
      });
      t.is(master.writePattern(offsetBy(iova, 8), 64, 2), 0, 'the handler maps the page');
      t.deepEqual(faults, ['translation fault, write of 8']);
      t.is(master.checkPattern(offsetBy(iova, 8), 64, 2).mismatches, 0);
      t.deepEqual(said(LRU), []);
      iommus.detachDevice(domain, dev);
      iommus.domainFree(domain);
      iommus.releaseDmaOwner(dev);
      const address = mapped(master, at);
      t.is(master.writePattern(address, 64, 3), 0);
      unmapped(master, address);
    },
  );
}

const queueOf = ({ iommus }: Machine, name: string): CommandQueue => {
  const smmu = [...iommus.values()].find(iommu => iommu.name === name);
  invariant(smmu instanceof SmmuV3Device, `${name} has no driver`);
  return smmu.commands;
};

/** Commands that software forgets while `run` runs. */
const forgetting = (
  smmu: string,
  isForgotten: (opcode: number) => boolean,
  run: () => void,
): void => {
  const queue = queueOf(ALL, smmu);
  queue.forgets = isForgotten;
  run();
  queue.forgets = null;
};

/** One address leads to one buffer, then to another. */
const reuse = (master: TestMasterDevice): void => {
  const pages = [buffer(ALL), buffer(ALL)];
  for (const page of pages) {
    const address = mapped(master, page);
    master.writePattern(address, 64, 1);
    unmapped(master, address);
  }
};

const FORGOTTEN: readonly (readonly [string, (opcode: number) => boolean])[] = [
  ['CMD_SYNC', opcode => opcode === Opcode.Sync],
  [
    'the TLBI commands',
    opcode => [Opcode.TlbiNhVa, Opcode.TlbiS2Ipa].some(each => each === opcode),
  ],
];

for (const smmu of SMMUS) {
  for (const [what, isForgotten] of FORGOTTEN) {
    test.serial(`${smmu}: ${what} forgotten is a stale translation`, t => {
      const master = masterBehind(ALL, smmu);
      forgetting(smmu, isForgotten, () => {
        reuse(master);
      });
      t.deepEqual(rules(ALL), ['stale-translation']);
      reuse(master);
      rules(ALL);
    });
  }

  test.serial(`${smmu}: CFGI_STE forgotten at an attach is stale configuration`, t => {
    const { iommus } = ALL.kernel;
    const master = masterBehind(ALL, smmu);
    const address = mapped(master, buffer(ALL));
    t.is(master.writePattern(address, 64, 1), 0);
    rules(ALL);
    forgetting(
      smmu,
      opcode => opcode === Opcode.CfgiSte,
      () => {
        t.is(iommus.claimDmaOwner(master.dev), 0);
      },
    );
    t.is(master.writePattern(address, 64, 1), -EIO);
    const found = ALL.findings?.take() ?? [];
    t.true(
      found.some(
        ({ access, rule }) => rule === 'stale-translation' && /by its stream/.test(access.kind),
      ),
    );
    iommus.releaseDmaOwner(master.dev);
    unmapped(master, address);
    rules(ALL);
  });
}

test.serial('an illegal command is skipped, and said', t => {
  said(LRU);
  const master = masterBehind(LRU, 'iommu@50000000');
  queueOf(LRU, 'iommu@50000000').issueWithSync(Uint32Array.of(0x7f, 1, 2, 3));
  const text = said(LRU).map(line => line.replace('arm-smmu-v3 iommu@50000000: ', ''));
  t.deepEqual(
    text.map(line => line.replace(/cons 0x\w+/, 'cons')),
    [
      'unexpected global error reported (0x1), this could be serious',
      'CMDQ error (cons): Illegal command',
      'skipping command in error state:',
      ...[0x7f, 1, 2, 3].map(word => `\t0x${word.toString(16)}`),
    ],
  );
  const address = mapped(master, buffer(LRU));
  t.is(master.writePattern(address, 64, 1), 0, 'and life goes on');
  unmapped(master, address);
  t.deepEqual(LRU.hardware.guestErrors.take(), [
    'iommu@50000000: COMMAND.OP 0x7f: no command, which the SMMU has not',
  ]);
});

test('what a node or a master cannot say is an InputError', t => {
  t.throws(() => planOf(BOARD('0x40')), { instanceOf: InputError, message: /a StreamID below 64/ });
  const bad = [
    BOARD().replace('"combined"', '"sideways"'),
    BOARD().replace('stage = <2>', 'stage = <3>'),
    BOARD().replace('bits = <6>', 'bits = <40>'),
  ];
  for (const text of bad) t.throws(() => planOf(text), { instanceOf: InputError });
});
