import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { DmaMemory } from '../../drivers/base/kernel/dma-map-ops';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { Random } from '../../drivers/base/types/random';
import { vivanteDriver } from '../../drivers/gpu/vivante/driver';
import {
  LINK,
  OPCODE,
  Opcode,
  WAIT,
  loadState,
} from '../../drivers/gpu/vivante/regs/command-stream';
import { ENTRY, addressBits } from '../../drivers/gpu/vivante/regs/page-tables';
import { GC_STATES } from '../../drivers/gpu/vivante/regs/states';
import { bootMachine } from '../../machines/boot';
import { boundBy } from '../../machines/bound';
import { dmaAllocCoherent } from '../../mm/dma-alloc';
import { dmaAllocNoncoherent } from '../../mm/dma-alloc-pages';
import {
  DmaDirection,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
} from '../../mm/dma-mapping-common';
import { openBoard, planRun } from '../../tools/board/open';
import { flush, poke } from '../suites/gpu/streams';

/*
 * The GPU of a whole machine under `all`, driven by hand: the checker looks at what its front end and its
 * MMU read as at what any device reads.
 */

const plan = planRun(openBoard('imx6q-sabresd', ['gpu-imx6q-sabresd']), {
  memory: null,
  quirks: [],
});
const machine = bootMachine(plan, {
  adversary: 'all',
  random: new Random(1),
  timing: 'latest',
  streaming: ALL_STEPS,
});
const required = <T>(value: T | null | undefined): T => {
  if (value === null || value === undefined) throw new Error('the machine lacks something');
  return value;
};
const { dev, regs } = required(boundBy(machine, vivanteDriver)[0]);
const { services } = dev;
const { barriers } = services;
const { cpu } = machine.kernel;
const { registers: STATES } = GC_STATES;
const { FLUSH, MODE_MASK, ADDRESS_MASK } = STATES.MMUV2_CONFIGURATION.fields;

const WAIT_200 = OPCODE.at(Opcode.Wait) + WAIT.DELAY.at(200);
const END = OPCODE.at(Opcode.End);
const link = (count: number): number => OPCODE.at(Opcode.Link) + LINK.PREFETCH.at(count);
const state = (offset: number, value: number): number[] => [loadState(offset, 1), value];
const raise = (id: number): number[] =>
  state(STATES.EVENT.at, id + STATES.EVENT.fields.FROM_FE.at(1));

const put = (address: CpuAddr, ...words: number[]): void => {
  words.forEach((word, i) => {
    cpu.store32(offsetBy(address, 4 * i), word);
  });
};
const pass = (): void => {
  services.waitUntil(() => false, 50_000);
};
const coherent = (): DmaMemory => required(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL));
const found = (): string[] => [
  ...new Set(
    required(machine.findings)
      .take()
      .map(f => f.rule),
  ),
];

/** Stopped, as after power-on, with nothing found so far. */
const begin = (): void => {
  regs.INTR_ENBL.write(0);
  regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
  regs.CLOCK_CONTROL.write({ SOFT_RESET: 0 });
  regs.INTR_ACKNOWLEDGE.read();
  found();
};
const start = (address: number, count: number): void => {
  barriers.mb();
  regs.COMMAND_ADDRESS.write(address);
  regs.COMMAND_CONTROL.write({ PREFETCH: count, ENABLE: 1 });
};
const events = (): number => regs.INTR_ACKNOWLEDGE.read().value;

/** The front end goes round; behind it is a job that raises event 1. */
const idleRing = (): DmaMemory => {
  begin();
  const ring = coherent();
  put(ring.cpuAddr, WAIT_200, 0, link(2), ring.dmaHandle);
  put(offsetBy(ring.cpuAddr, 0x100), ...raise(1), END, 0);
  start(ring.dmaHandle, 2);
  pass();
  return ring;
};

test.serial('a kick with its barriers is what the front end acts upon, and nothing is found', t => {
  const { cpuAddr, dmaHandle } = idleRing();
  put(offsetBy(cpuAddr, 4), dmaHandle + 0x100);
  barriers.wmb();
  put(cpuAddr, link(2));
  pass();
  t.deepEqual([events(), found()], [2, []], 'which may be late, as nothing waits for it');
});

test.serial('a header that may be there before its address does is found', t => {
  const { cpuAddr, dmaHandle } = idleRing();
  put(offsetBy(cpuAddr, 4), dmaHandle + 0x100);
  put(cpuAddr, link(2));
  pass();
  barriers.mb();
  pass();
  t.is(events(), 2);
  t.deepEqual(found(), ['stale-device-read']);
});

test.serial('commands that were not cleaned are found, down to the last word', t => {
  begin();
  const size = PAGE_SIZE;
  const { ToDevice } = DmaDirection;
  const job = required(dmaAllocNoncoherent(dev, size, ToDevice, GFP_KERNEL));
  for (const [cleaned, rules] of [
    [64, []],
    [32, ['device-access-not-given', 'stale-device-read']],
  ] as const) {
    dmaSyncSingleForCpu(dev, job.dmaHandle, size, ToDevice);
    const nops = Array.from({ length: 7 }, () => [OPCODE.at(Opcode.Nop), 0]).flat();
    put(job.cpuAddr, ...nops, END, 0);
    dmaSyncSingleForDevice(dev, job.dmaHandle, cleaned, ToDevice);
    start(job.dmaHandle, 8);
    pass();
    t.deepEqual(found(), rules, `${cleaned} bytes`);
  }
});

/** The MMU on; a page for a stream is at its address 0. */
const translated = (): { stream: DmaMemory; slave: DmaMemory } => {
  begin();
  const [stream, master, slave] = [coherent(), coherent(), coherent()];
  const present = ENTRY.PRESENT.at(1);
  put(slave.cpuAddr, addressBits(stream.dmaHandle) + present);
  put(master.cpuAddr, addressBits(slave.dmaHandle) + present);
  put(stream.cpuAddr, ...state(STATES.MMUV2_CONFIGURATION.at, master.dmaHandle), END, 0);
  start(stream.dmaHandle, 2);
  pass();
  regs.MMU_CONTROL.write({ ENABLE: 1 });
  return { stream, slave };
};

test.serial(
  'an entry that was changed and not flushed is found where it is used, and not after a flush',
  t => {
    const { slave, stream } = translated();
    const other = coherent();
    for (const { cpuAddr } of [stream, other]) put(cpuAddr, ...raise(2), END, 0);
    start(0, 2);
    pass();
    t.deepEqual([events(), found()], [4, []]);
    put(slave.cpuAddr, addressBits(other.dmaHandle) + 1);
    start(0, 2);
    pass();
    t.deepEqual([events(), found()], [4, ['stale-translation']]);
    const flush = FLUSH.at(1) + MODE_MASK.at(1) + ADDRESS_MASK.at(1);
    put(other.cpuAddr, ...state(STATES.MMUV2_CONFIGURATION.at, flush), END, 0);
    start(0, 2);
    pass();
    found();
    put(other.cpuAddr, ...raise(2), END, 0);
    start(0, 2);
    pass();
    t.deepEqual([events(), found()], [4, []]);
  },
);

test.serial('a table word that is in a cache is found when the MMU walks', t => {
  begin();
  const { ToDevice } = DmaDirection;
  const table = required(dmaAllocNoncoherent(dev, 2 * PAGE_SIZE, ToDevice, GFP_KERNEL));
  const stream = coherent();
  dmaSyncSingleForCpu(dev, table.dmaHandle, 2 * PAGE_SIZE, ToDevice);
  put(table.cpuAddr, addressBits(table.dmaHandle + PAGE_SIZE) + 1);
  put(offsetBy(table.cpuAddr, PAGE_SIZE), addressBits(stream.dmaHandle) + 1);
  dmaSyncSingleForDevice(dev, table.dmaHandle, PAGE_SIZE, ToDevice);
  put(stream.cpuAddr, ...state(STATES.MMUV2_CONFIGURATION.at, table.dmaHandle), END, 0);
  start(stream.dmaHandle, 2);
  pass();
  regs.MMU_CONTROL.write({ ENABLE: 1 });
  t.deepEqual(found(), []);
  start(0, 2);
  pass();
  t.deepEqual(found(), ['device-access-not-given', 'stale-table-word']);
});

test.serial('what the CPU reads of a line that the GPU has not written back is found', t => {
  begin();
  const [stream, pixels] = [coherent(), coherent()];
  const flushed = poke(pixels.dmaHandle, [{ offset: 64, value: 7 }]);
  const unflushed = flushed.slice(0, -flush('DE').length);
  const rules = ['stale-device-cache'];
  for (const [words, expected] of [
    [unflushed, rules],
    [flushed, []],
    [unflushed, rules],
  ] as const) {
    begin();
    put(stream.cpuAddr, ...words, END, 0);
    start(stream.dmaHandle, words.length / 2 + 1);
    pass();
    barriers.mb();
    cpu.load32(pixels.cpuAddr);
    t.deepEqual(found(), []);
    cpu.load32(offsetBy(pixels.cpuAddr, 64));
    t.deepEqual(found(), expected);
  }
});
