import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { offsetBy } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { RuleId } from '../../../drivers/base/types/rules';
import { RULES } from '../../../drivers/base/types/rules';
import type { CommandBuffer } from '../../../drivers/gpu/vivante/driver/command-pool';
import { CommandWriter } from '../../../drivers/gpu/vivante/driver/commands';
import { Ring } from '../../../drivers/gpu/vivante/driver/ring';
import { StopCause } from '../../../drivers/gpu/vivante/regs';
import { OPCODE, Opcode } from '../../../drivers/gpu/vivante/regs/command-stream';
import {
  DmaAttr,
  DmaDirection,
  dmaMapPage,
  dmaMappingError,
  dmaUnmapPage,
} from '../../../mm/dma-mapping-common';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../mm/pgprot';
import { reachableBy } from '../driver-bench';
import { all, hasMmu } from '../rules/conditions';
import type { Condition } from '../rules/conditions';
import type { Case, CaseContext } from '../suite';
import { GpuBench } from './bench';

/*
 * A bug that was met on a CuBox (etna_viv, doc/kernel_bugs.md). A page of lowmem was poisoned when it was
 * freed, through its cacheable mapping; then it was mapped as device memory and had the ring written
 * to it, and a dirty line of the poison was evicted over the commands. 0xaaaaaaaa has opcode 21, which is
 * none.
 */

const POISON = 0xaaaa_aaaa;
/** Where the job was in the words that were seen, and how many 64-bit words it had. */
const JOB = 0x19ce_0000;
const JOB_QWORDS = 44;
const LOOK_NANOSECONDS = 50_000;

/** The ring as it was: in a page that has a second, cacheable mapping with something dirty in it. */
class PoisonedRing {
  readonly ring: Ring;
  readonly #bench: GpuBench;
  readonly #page: Page;
  /** Its cacheable mapping. */
  readonly #linear: CpuAddr;
  readonly #buffer: CommandBuffer;
  readonly #free: () => void;

  constructor(t: CaseContext, bench: GpuBench) {
    const { kernel, dev, machine } = bench;
    this.#bench = bench;
    const gfp = reachableBy(machine, dev) ?? t.skip('the GPU does not reach a zone of its own');
    // Where the front end is started has 32 bits.
    const page = t.need(kernel.mm.pages.allocPages({ ...gfp, dma32: true }, 0), 'a page');
    this.#page = page;
    this.#linear = t.need(kernel.mm.layout.physToVirt(pageToPhys(page)), 'a page of lowmem');
    this.poison();
    const { Bidirectional } = DmaDirection;
    const { SkipCpuSync } = DmaAttr;
    const dma = dmaMapPage(dev, page, 0, PAGE_SIZE, Bidirectional, SkipCpuSync);
    t.equal(dmaMappingError(dev, dma), 0, 'the error of mapping the ring');
    // As ioremap() maps: what drivers are given otherwise drops lines first.
    const prot = withMemory(PAGE_KERNEL, 'device');
    const cpuAddr = t.need(kernel.mappings.vmap([page], prot), 'vmalloc space');
    this.#buffer = { offset: 0, size: PAGE_SIZE, cpuAddr, dmaAddr: dma };
    this.ring = new Ring(dev.services, this.#buffer, dma);
    this.#free = () => {
      kernel.mappings.vunmap(cpuAddr);
      dmaUnmapPage(dev, dma, PAGE_SIZE, Bidirectional, SkipCpuSync);
      kernel.mm.pages.freePagesAt(page, 0);
    };
  }

  /** As a kernel with PAGE_POISONING fills what it frees; lines that it has anyway. */
  poison(): void {
    const { cpu } = this.#bench;
    for (let at = 0; at < PAGE_SIZE; at += 4) {
      cpu.load32(this.#linear + at);
      cpu.store32(this.#linear + at, POISON);
    }
  }

  /** What a cache may do at any time: the dirty lines go to memory. */
  evict(): void {
    const { mm } = this.#bench.kernel;
    mm.cache.dmaFlushRange(this.#linear, PAGE_SIZE);
    mm.outer.flushRange(pageToPhys(this.#page), PAGE_SIZE);
  }

  /** The front end goes round the ring, by the bus's addresses: the MMU is off after a reset. */
  start(qwords: number): void {
    const { regs } = this.#bench.gpu;
    regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
    regs.CLOCK_CONTROL.write({ SOFT_RESET: 0 });
    regs.COMMAND_ADDRESS.write(this.#buffer.dmaAddr);
    regs.COMMAND_CONTROL.write({ PREFETCH: qwords, ENABLE: 1 });
  }

  /** A job of as many words as that which was seen. */
  queue(): void {
    const { io } = this.#bench.dev.services;
    const half = PAGE_SIZE / 2;
    const writer = new CommandWriter(io, offsetBy(this.#buffer.cpuAddr, half), half);
    for (let i = 1; i < JOB_QWORDS; i++) {
      writer.word(OPCODE.at(Opcode.Nop));
      writer.word(0);
    }
    this.ring.queue({ va: JOB, writer, event: 0, mmu: { table: null, flush: false } });
  }

  /** The first words of the ring as memory has them. */
  get words(): readonly string[] {
    const memory = this.#bench.machine.hardware.debugPort();
    return [0, 4, 8, 12].map(at => (memory.read32(pageToPhys(this.#page) + at) >>> 0).toString(16));
  }

  get dmaAddr(): number {
    return this.#buffer.dmaAddr;
  }

  free(): void {
    this.#free();
  }
}

/** What the checker calls it: two mappings of one page, and a line that may be written over the ring. */
const OWN: readonly RuleId[] = ['memory-type-mismatch', 'cacheability-mismatch', 'lost-cpu-write'];
const CONSEQUENCES: readonly RuleId[] = ['stale-device-read', 'dirty-line-over-device-data'];

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

/** Under `all` nothing has to be evicted for the alias to be found. */
const checkFound = (t: CaseContext, bench: GpuBench, ring: PoisonedRing): void => {
  ring.start(ring.ring.init());
  bench.cpu.relax(LOOK_NANOSECONDS);
  const found = t.takeFindings().filter(rule => !isNote(rule));
  t.ok(
    found.some(rule => OWN.includes(rule) || CONSEQUENCES.includes(rule)),
    `the alias to be found, by ${OWN.join(' or ')}`,
  );
  const others = found.filter(rule => !OWN.includes(rule) && !CONSEQUENCES.includes(rule));
  t.ok(others.length === 0, `no other finding: ${others.join(', ')}`);
};

const checkSeen = (t: CaseContext, bench: GpuBench, ring: PoisonedRing): void => {
  ring.ring.init();
  ring.evict();
  ring.queue();
  const golden = ['4000002c', '19ce0000', 'aaaaaaaa', 'aaaaaaaa'];
  t.ok(
    ring.words.join() === golden.join(),
    `the ring to be ${golden.join(' ')}: ${ring.words.join(' ')}`,
  );
  ring.poison();
  ring.start(ring.ring.init());
  bench.cpu.relax(LOOK_NANOSECONDS);
  ring.evict();
  bench.cpu.relax(LOOK_NANOSECONDS);
  const stop = bench.gpu.regs.X_FE_STOP.read();
  t.equal(stop.CAUSE, StopCause.IllegalOpcode, 'why the front end stopped');
  t.equal(stop.OPCODE, POISON >>> 27, 'the opcode that stopped it');
  t.equal(bench.gpu.progress.address, ring.dmaAddr, 'where it stopped');
  const told = t.machine.hardware.guestErrors.take().join();
  t.ok(told.includes('opcode 21 of 0xaaaaaaaa'), `the device to report opcode 21, not '${told}'`);
};

/** Before pages get a second address, lines of the first are written back (flush_cache_vmap). */
const mapsInPlace: Condition = ({ kernel: { mm } }) =>
  mm.info.isVivt || mm.info.isAliasing ? 'vmap() flushes the caches of this core' : null;

export const poisonedRing: Case = {
  name: 'a_ring_with_a_cacheable_alias_is_overwritten_by_poison',
  unfit: all(hasMmu, mapsInPlace),
  run: t => {
    const bench = GpuBench.on(t.machine);
    const ring = new PoisonedRing(t, bench);
    t.takeFindings();
    if (t.machine.findings === null) checkSeen(t, bench, ring);
    else checkFound(t, bench, ring);
    // The driver's own ring is memory that nobody maps otherwise.
    bench.gpu.recover();
    ring.free();
    t.takeFindings();
    t.equal(bench.run([OPCODE.at(Opcode.Nop), 0]), 0, 'a job in the ring of the driver');
    bench.close();
    const found = t.takeFindings().filter(rule => !isNote(rule));
    t.ok(found.length === 0, `no finding of the cure: ${found.join(', ')}`);
  },
};
