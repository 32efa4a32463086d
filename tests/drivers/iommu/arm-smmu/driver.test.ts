import test from 'ava';
import { LruAdversary } from '../../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../../arch/arm/mm/dma';
import type { CallGate } from '../../../../drivers/base/kernel/call-gate';
import type { Device } from '../../../../drivers/base/kernel/device';
import { EINVAL, EIO, ENOSPC } from '../../../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../../../drivers/base/kernel/gfp';
import { ioRegisters } from '../../../../drivers/base/kernel/registers';
import { dmaAddr, offsetBy, physAddr } from '../../../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { InputError } from '../../../../drivers/base/types/errors';
import { Random } from '../../../../drivers/base/types/random';
import { ArmSmmuDevice } from '../../../../drivers/iommu/arm-smmu/driver';
import { contextKind } from '../../../../drivers/iommu/arm-smmu/driver/context';
import type { SmmuFeatures } from '../../../../drivers/iommu/arm-smmu/driver/features';
import { ARM_SMMU_CB, ARM_SMMU_GR0 } from '../../../../drivers/iommu/arm-smmu/regs';
import { bootMachine } from '../../../../machines/boot';
import type { BootOptions } from '../../../../machines/boot';
import { loadBoard } from '../../../../machines/boards';
import type { BoundMaster, Machine } from '../../../../machines/machine';
import { planMachine } from '../../../../machines/plan';
import type { MachinePlan } from '../../../../machines/plan';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapSingle,
} from '../../../../mm/dma-mapping-common';
import type { TestMasterDevice } from '../../../../drivers/misc/test-master/driver';
import { newGather } from '../../../../mm/iommu/gather';
import { boardFolder } from '../../../support/board-folder';

/*
 * SMMUs and their driver on a whole machine: one MMU-500 that does not look into the caches, one
 * MMU-401 that does.
 */

const { ToDevice, FromDevice } = DmaDirection;

const SOURCE = `/dts-v1/;
/ {
	model = "two SMMUs";
	compatible = "dmabench,smmu-test";
	#address-cells = <1>;
	#size-cells = <1>;
	interrupt-parent = <&gic>;
	cpus {
		#address-cells = <1>;
		#size-cells = <0>;
		cpu@0 {
			device_type = "cpu";
			compatible = "CPU";
			reg = <0>;
		};
	};
	memory@80000000 {
		device_type = "memory";
		reg = <0x80000000 0x2000000>;
	};
	gic: interrupt-controller@8000000 {
		compatible = "arm,gic-400";
		reg = <0x8000000 0x1000>, <0x8002000 0x1000>;
		interrupt-controller;
		#interrupt-cells = <3>;
	};
	soc {
		compatible = "simple-bus";
		#address-cells = <1>;
		#size-cells = <1>;
		ranges;
		smmu: iommu@50000000 {
			compatible = "vendor,smmu-500", "arm,mmu-500";
			reg = <0x50000000 0x8000>;
			#global-interrupts = <1>;
			interrupts = <0 40 4>, <0 41 4>, <0 42 4>, <0 43 4>, <0 43 4>;
			#iommu-cells = <2>;
		};
		old_smmu: iommu@50010000 {
			compatible = "arm,mmu-401", "arm,smmu-v1";
			reg = <0x50010000 0x10000>;
			#global-interrupts = <1>;
			interrupts = <0 50 4>, <0 50 4>;
			#iommu-cells = <1>;
			stream-match-mask = <0x7c00>;
			dma-coherent;
		};
		display@50020000 {
			compatible = "arm,pl111", "arm,primecell";
			reg = <0x50020000 0x1000>;
			interrupts = <0 51 4>;
			iommus = <&smmu 0x421 0x10>;
		};
		ethernet@50030000 {
			compatible = "smsc,lan91c111";
			reg = <0x50030000 0x1000>;
			interrupts = <0 52 4>;
			iommus = <&old_smmu 3>;
			dma-coherent;
		};
	};
};
`;

const planOf = (cpu: string, from = '', to = ''): MachinePlan => {
  const source = SOURCE.replace('"CPU"', `"arm,${cpu}"`).replace(from, to);
  const board = loadBoard('smmu', boardFolder({ 'smmu.dts': source }));
  return planMachine(board, { memory: 32 * MIB, quirks: [] });
};

const PLAN = planOf('cortex-a53');

const booted = (options: Partial<BootOptions> = {}, plan = PLAN): Machine =>
  bootMachine(plan, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
    ...options,
  });

const behind = ({ masters }: Machine, name: string): BoundMaster => {
  const master = masters.find(({ plan }) => plan.label.endsWith(`behind ${name}`));
  if (master === undefined) throw new Error(`nobody is behind ${name}`);
  return master;
};

const SMMU = 'iommu@50000000';
const OLD_SMMU = 'iommu@50010000';

const smmuOf = ({ iommus }: Machine, name: string): ArmSmmuDevice => {
  const found = [...iommus.values()].find(iommu => iommu.name === name);
  if (found instanceof ArmSmmuDevice) return found;
  throw new Error(`no SMMU ${name}`);
};

const buffer = ({ kernel }: Machine, size = PAGE_SIZE): CpuAddr => {
  const at = kernel.slab.kmalloc(size, GFP_KERNEL);
  if (at === null) throw new Error('no memory');
  for (let i = 0; i < size; i += 4) kernel.cpu.store32(at + i, 0);
  return at;
};

const map = (dev: Device, at: CpuAddr, size: number, direction: DmaDirection): DmaAddr => {
  const address = dmaMapSingle(dev, at, size, direction);
  if (dmaMappingError(dev, address) !== 0) throw new Error('not mapped');
  return address;
};

/** A device writes a pattern to memory, and another reads it there. */
const moves = (
  machine: Machine,
  writer: TestMasterDevice,
  reader: TestMasterDevice,
  seed: number,
): number => {
  const at = buffer(machine, 3 * PAGE_SIZE);
  const size = 2 * PAGE_SIZE + 64;
  const to = map(writer.dev, at, size, FromDevice);
  const wrote = writer.writePattern(to, size, seed);
  dmaUnmapSingle(writer.dev, to, size, FromDevice);
  const from = map(reader.dev, at, size, ToDevice);
  const { mismatches, error } = reader.checkPattern(from, size, seed);
  dmaUnmapSingle(reader.dev, from, size, ToDevice);
  return wrote === 0 && error === 0 ? mismatches : -1;
};

/** One for all tests that leave it as it was, and one for those that do not care how it is. */
const SHARED = booted();
const USED = booted();

test('both SMMUs are probed, and say what they have', t => {
  const said = (name: string): string[] =>
    SHARED.kernel.log.lines
      .filter(({ text }) => text.startsWith(`arm-smmu ${name}: `))
      .map(({ text }) => text.replace(/^[^:]*: /, '').replace('\t', ''));
  t.deepEqual(said(SMMU), [
    'probing hardware configuration...',
    'SMMUv2 with:',
    'stage 1 translation',
    'stage 2 translation',
    'stream matching with 128 register groups',
    '4 context banks (0 stage-2 only)',
    'Supported page sizes: 0x61311000',
    'Stage-1: 48-bit VA -> 48-bit IPA',
    'Stage-2: 48-bit IPA -> 48-bit PA',
  ]);
  t.deepEqual(said(OLD_SMMU), [
    'probing hardware configuration...',
    'SMMUv1 with:',
    'stage 2 translation',
    'coherent table walk',
    'stream matching with 32 register groups',
    '8 context banks (8 stage-2 only)',
    'Supported page sizes: 0x61311000',
    'Stage-2: 40-bit IPA -> 40-bit PA',
  ]);
});

test('masters behind both move data, on every cache behaviour, without a finding', t => {
  const machine = booted({ adversary: 'all' });
  const [first, second] = [behind(machine, SMMU).device, behind(machine, OLD_SMMU).device];
  t.is(moves(machine, first, second, 3), 0);
  t.is(moves(machine, second, first, 4), 0);
  t.deepEqual(machine.findings?.take(), []);
  t.is(machine.hardware.guestErrors.total, 0);
});

for (const [cpu, what] of [
  ['cortex-a9', 'short descriptors'],
  ['cortex-a15', 'long descriptors or short ones, as the kernel has'],
] as const) {
  test(`a kernel of 32 bits on ${cpu}: ${what}`, t => {
    const machine = booted(
      { adversary: 'all' },
      planOf(cpu, 'dma-coherent;\n\t\t};\n\t};', '};\n};'),
    );
    const first = behind(machine, SMMU).device;
    t.is(moves(machine, first, first, 5), 0);
    t.deepEqual(machine.findings?.take(), []);
    t.is(machine.hardware.guestErrors.total, 0);
  });
}

test('what the SMMU refuses is a bus error, and said in the words of Linux', t => {
  const { device } = behind(SHARED, SMMU);
  const { log } = SHARED.kernel;
  const before = log.lines.length;
  const at = buffer(SHARED);
  const address = map(device.dev, at, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, 0);
  t.is(device.writePattern(address, 4, 1), -EIO, 'against its direction');
  t.is(device.checkPattern(address, 4, 0).error, 0, 'the handler has cleared the fault');
  dmaUnmapSingle(device.dev, address, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, -EIO, 'after the unmap');
  const old = behind(SHARED, OLD_SMMU).device;
  t.is(old.checkPattern(dmaAddr(0x1234_0000), 4, 0).error, -EIO);
  const said = log.lines.slice(before).map(({ text }) => text.replace(/^.*?: /, ''));
  const iova = address.toString(16).padStart(8, '0');
  t.deepEqual(said, [
    `Unhandled context fault: fsr=0x8, iova=0x${iova}, fsynr=0x33, cbfrsynra=0x421, cb=0`,
    'FSR    = 00000008 [Format=0 PF], SID=0x421',
    'FSYNR0 = 00000033 [S1CBNDX=0 PNU WNR PLVL=3]',
    `Unhandled context fault: fsr=0x2, iova=0x${iova}, fsynr=0x23, cbfrsynra=0x421, cb=0`,
    'FSR    = 00000002 [Format=0 TF], SID=0x421',
    'FSYNR0 = 00000023 [S1CBNDX=0 PNU PLVL=3]',
    'Unhandled context fault: fsr=0x2, iova=0x12340000, fsynr=0x21, cbfrsynra=0x3, cb=0',
    'FSR    = 00000002 [Format=0 TF], SID=0x3',
    'FSYNR0 = 00000021 [S1CBNDX=0 PNU PLVL=1]',
  ]);
});

test('a stream that nobody claimed is refused, and said so', t => {
  const machine = USED;
  const node = machine.hardware.iommus.find(({ model }) => model.name === SMMU);
  const before = machine.kernel.log.lines.length;
  t.is(node?.model.stream([0x77], 'stranger').translate(0x1000, false)?.result, 1);
  machine.kernel.cpu.relax(1000);
  const said = machine.kernel.log.lines.slice(before).map(({ text }) => text);
  t.regex(said[0] ?? '', /Blocked unknown Stream ID 0x77; boot with "arm-smmu.disable_bypass=0"/);
  t.regex(said[1] ?? '', /GFSR 0x00000002, GFSYNR0 0x00000000, GFSYNR1 0x00000077/);
});

test('streams are merged into groups, and what would match two groups is refused', t => {
  const smmu = smmuOf(USED, SMMU);
  const first = smmu.streamOf([0x421, 0x10]);
  t.is(smmu.streamOf([0x421, 0x10]), first);
  t.is(smmu.streamOf([0x431]), first, 'it holds this one, too');
  t.is(smmu.streamOf([0x421, 0x18]), -EINVAL, 'of which the other group has some');
  const second = smmu.streamOf([0x400]);
  t.not(second, first);
  t.is(smmu.streamOf([0x400]), second);
  t.is(smmu.streamOf([0x8000]), -EINVAL, 'ids have 15 bits');
  t.is(smmu.streamOf([0, 0x8000]), -EINVAL);
  t.is(smmu.streamOf([]), -EINVAL);
  const groups = Array.from({ length: 127 }, (_, i) => smmu.streamOf([0x1000 + i]));
  t.is(new Set(groups).size, 127);
  t.deepEqual(groups.slice(-1), [-ENOSPC]);
});

test('stream-match-mask is for masters that say none', t => {
  const smmu = smmuOf(SHARED, OLD_SMMU);
  const own = smmu.streamOf([3]);
  t.is(smmu.streamOf([0x7c03]), own);
  t.is(smmu.streamOf([0x403, 0]), own);
});

test('a domain of its own: banks run out and come back, and other SMMUs refuse it', t => {
  const machine = USED;
  const { iommus } = machine.kernel;
  const { device } = behind(machine, SMMU);
  const { dev } = device;
  const domains = Array.from({ length: 4 }, () => iommus.domainAlloc(dev));
  t.deepEqual(
    domains.map(domain => domain !== null),
    [true, true, true, false],
    'the DMA API has one of four',
  );
  const [domain] = domains;
  if (domain === null || domain === undefined) throw new Error('no domain');
  t.is(smmuOf(machine, OLD_SMMU).attach(0, domain), -EINVAL, 'it is another one’s');
  t.is(iommus.attachDevice(domain, dev), 0);
  const memory = machine.kernel.services.memory.virtToPhys(buffer(machine)) ?? physAddr(0);
  const page = dmaAddr(0x4000_0000);
  t.is(domain.ops?.map(page, memory, PAGE_SIZE, 1, 3, { bytes: 0 }), 0);
  t.is(device.writePattern(page, 4, 1), 0);
  const gather = newGather();
  t.is(domain.ops?.unmap(page, PAGE_SIZE, 1, gather), PAGE_SIZE);
  domain.ops?.sync(gather);
  t.is(device.writePattern(page, 4, 1), -EIO, 'its entries have an ASID of their own');
  iommus.detachDevice(domain, dev);
  iommus.domainFree(domain);
  t.not(iommus.domainAlloc(dev), null);
});

test('faults of who asked to be told are not said, and a stalled transaction is retried', t => {
  const machine = booted();
  const { kernel } = machine;
  const { device } = behind(machine, SMMU);
  const smmu = smmuOf(machine, SMMU);
  const domain = kernel.iommus.domainAlloc(device.dev);
  if (domain === null) throw new Error('no domain');
  t.is(kernel.iommus.attachDevice(domain, device.dev), 0);
  const at = buffer(machine);
  const physical = kernel.services.memory.virtToPhys(at) ?? physAddr(0);
  let told = 0;
  kernel.iommus.setFaultHandler(domain, ({ address }) => {
    told++;
    if (told === 1)
      domain.ops?.map(dmaAddr(address - (address % PAGE_SIZE)), physical, PAGE_SIZE, 1, 3, {
        bytes: 0,
      });
    return 0;
  });
  const before = kernel.log.lines.length;
  smmu.setStall(domain, true);
  device.startCheck(dmaAddr(0x4000), 4, 0);
  kernel.cpu.relax(10_000);
  t.is(told, 1);
  t.false(device.isDone());
  smmu.resume(domain, 'retry');
  t.is(device.finishCheck().error, 0);
  device.startCheck(dmaAddr(0x8000), 4, 0);
  kernel.cpu.relax(10_000);
  smmu.resume(domain, 'terminate');
  t.is(device.finishCheck().error, -EIO);
  t.is(told, 2);
  t.is(kernel.log.lines.length, before);
});

/** Leaves out the calls of this name, from when it is armed. */
class Without implements CallGate {
  isArmed = false;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  isCarriedOut(_layer: string, name: string): boolean {
    return !this.isArmed || name !== this.#name;
  }
}

const rulesOf = ({ findings }: Machine): string[] =>
  (findings?.take() ?? []).map(({ rule }) => rule);

test('an unmap without the TLBSYNC is found: the device may still reach the page', t => {
  const gate = new Without('flush');
  const machine = booted({ adversary: 'all', gate });
  const { device } = behind(machine, SMMU);
  const at = buffer(machine);
  const address = map(device.dev, at, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, 0);
  gate.isArmed = true;
  dmaUnmapSingle(device.dev, address, PAGE_SIZE, ToDevice);
  t.deepEqual(rulesOf(machine), []);
  device.checkPattern(address, 4, 0);
  t.deepEqual(rulesOf(machine).sort(), ['device-access-after-unmap', 'stale-translation']);
});

test('a table word that is not cleaned is found, and one that the walker snoops need not be', t => {
  const gate = new Without('sync for the device');
  const machine = booted({ adversary: 'all', gate });
  const at = buffer(machine);
  for (const [name, rules] of [
    [OLD_SMMU, []],
    [SMMU, ['stale-table-word']],
  ] as const) {
    const { device } = behind(machine, name);
    gate.isArmed = true;
    const address = map(device.dev, at, PAGE_SIZE, FromDevice);
    t.is(device.writePattern(address, 64, 1), 0, 'the run goes on with the latest');
    gate.isArmed = false;
    dmaUnmapSingle(device.dev, address, PAGE_SIZE, FromDevice);
    t.deepEqual([...new Set(rulesOf(machine))], [...rules]);
  }
});

test('the format is the closest to the kernel that the SMMU has', t => {
  const features: SmmuFeatures = {
    match: { version: '2', isMmu500: false },
    stage1: true,
    stage2: true,
    coherentWalk: false,
    groups: 1,
    isMatching: true,
    streamIdMask: 1,
    banks: 1,
    stage2Banks: 0,
    vaBits: 48,
    ipaBits: 48,
    paBits: 48,
    aarch32Long: true,
    aarch32Short: true,
    granules: [4],
    pageSizes: PAGE_SIZE,
  };
  const of = (some: Partial<SmmuFeatures>, is64Bit: boolean, lpae: boolean): string | null => {
    const kind = contextKind({ ...features, ...some }, { is64Bit, lpae });
    return kind && `${kind.stage} ${kind.format}`;
  };
  t.is(of({}, true, false), '1 aarch64');
  t.is(of({}, false, false), '1 aarch32-short');
  t.is(of({}, false, true), '1 aarch32-long');
  t.is(of({ granules: [] }, true, false), '1 aarch32-long');
  t.is(of({ stage1: false }, false, false), '2 aarch32-long');
  t.is(of({ aarch32Long: false, aarch32Short: false }, false, true), '1 aarch64');
  t.is(of({ aarch32Long: false, aarch32Short: false, granules: [] }, true, false), null);
});

test('reset leaves no fault, no prefetching and nothing that passes unclaimed', t => {
  const { services } = SHARED.kernel;
  const base = services.ioremap(physAddr(0x5000_0000), 0x8000);
  if (base === null) throw new Error('no address space');
  const gr0 = ioRegisters(ARM_SMMU_GR0, services.io, base);
  const bank = ioRegisters(ARM_SMMU_CB, services.io, offsetBy(base, 0x4000));
  t.like(gr0.CR0.read(), { CLIENTPD: 0, USFCFG: 1, GCFGFRE: 1, GCFGFIE: 1, VMIDPNE: 1, PTM: 1 });
  t.is(gr0.ACR.read().CACHE_LOCK, 0);
  t.is(bank.ACTLR.read().CPRE, 0);
  t.like(bank.SCTLR.read(), { M: 1, CFRE: 1, CFIE: 1, AFE: 1, TRE: 1, HUPCF: 0 });
  t.like(gr0.SMR(0).read(), { ID: 0x421, MASK: 0x10, VALID: 1 });
  services.iounmap(base);
});

for (const [what, from, to, property] of [
  ['no word of global interrupts', '#global-interrupts = <1>;', '', '#global-interrupts'],
  [
    'no interrupt of a context',
    '#global-interrupts = <1>',
    '#global-interrupts = <5>',
    'interrupts',
  ],
  ['no room for the banks', '0x50000000 0x8000', '0x50000000 0x4000', 'reg'],
  ['an id that is too large', '0x421 0x10', '0x8421 0x10', 'iommus'],
] as const) {
  test(`wrong input: ${what}`, t => {
    const error = t.throws(() => planOf('cortex-a53', from, to), { instanceOf: InputError });
    t.is(error.problem.property, property);
  });
}
