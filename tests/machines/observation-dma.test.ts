import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaMemory } from '../../drivers/base/kernel/dma-map-ops';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { PhysAddr } from '../../drivers/base/types/address';
import { offsetBy, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { RULES } from '../../drivers/base/types/rules';
import type { RuleId } from '../../drivers/base/types/rules';
import { bootMachine } from '../../machines/boot';
import {
  DmaDirection,
  dmaAllocCoherent,
  dmaAllocNoncoherent,
  dmaAllocNoncontiguous,
  dmaFreeCoherent,
  dmaFreeNoncoherent,
  dmaFreeNoncontiguous,
  dmaMapResource,
  dmaMapSg,
  dmaMapSgtable,
  dmaMappingError,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapResource,
  dmaUnmapSg,
  dmaUnmapSgtable,
} from '../../mm/dma-mapping-common';
import { dmaPoolAlloc, dmaPoolCreate, dmaPoolDestroy, dmaPoolFree } from '../../mm/dmapool';
import { SgEntry, SgTable, sgSetBuf } from '../../mm/scatterlist';
import { pageToPhys, pfnToPage } from '../../mm/page-alloc';
import { planOf } from '../support/booted';

/*
 * The DMA API on whole machines: used rightly nothing is found, and each misuse is, at its place.
 * The parts are tested in tests/mm.
 */

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const PIECE = 256;

/** A machine under `all`, and its first master that does not snoop. */
class Bench {
  readonly machine;
  readonly master;
  readonly findings;
  readonly observer;

  constructor(board: string) {
    this.machine = bootMachine(planOf(board), {
      adversary: 'all',
      random: new Random(1),
      timing: 'latest',
      streaming: ALL_STEPS,
    });
    const { findings, observer, masters } = this.machine;
    const master = masters.find(({ device }) => !device.dev.dma.coherent)?.device;
    invariant(master !== undefined && findings !== null && observer !== null, board);
    this.master = master;
    this.findings = findings;
    this.observer = observer;
  }

  get dev() {
    return this.master.dev;
  }

  get cpu() {
    return this.machine.kernel.cpu;
  }

  rules(): RuleId[] {
    return this.findings.take().map(({ rule }) => rule);
  }

  coherent(): DmaMemory {
    const memory = dmaAllocCoherent(this.dev, PAGE_SIZE, GFP_KERNEL);
    invariant(memory !== null, 'no coherent memory');
    return memory;
  }

  /** A list of two buffers that the CPU has written. */
  list(): SgTable {
    const { slab, mm } = this.machine.kernel;
    const pieces = [0, 1].map(() => {
      const at = slab.kmalloc(PIECE, GFP_KERNEL);
      invariant(at !== null, 'no memory');
      for (let offset = 0; offset < PIECE; offset += 4) this.cpu.store32(at + offset, offset);
      const entry = new SgEntry(pfnToPage(0), 0, 0);
      sgSetBuf(mm.layout, entry, at, PIECE);
      return entry;
    });
    return new SgTable(pieces);
  }

  /** Where the CPU has a piece of a list. */
  addressOf({ page, offset }: SgEntry): number {
    const at = this.machine.kernel.mm.layout.physToVirt(offsetBy(pageToPhys(page), offset));
    invariant(at !== null, 'no lowmem');
    return at;
  }
}

const pieceOf = ({ sgl }: SgTable, index: number): SgEntry => {
  const piece = sgl[index];
  invariant(piece !== undefined, 'no such piece');
  return piece;
};

/** An ARMv7 with an outer cache, an ARMv6, an ARMv5, an arm64. */
const BOARDS = ['imx6q-sabresd', 'rpi-b', 'versatile-pb', 'imx8mm'] as const;
const benches = new Map(BOARDS.map(board => [board, new Bench(board)]));

for (const [board, bench] of benches) {
  const { dev, master, cpu } = bench;
  const HERE = /^tests\/machines\/observation-dma\.test\.ts:\d+$/;

  test.serial(`${board}: lists, used rightly, and their mistakes`, t => {
    const table = bench.list();
    const [first, second] = [pieceOf(table, 0), pieceOf(table, 1)];
    t.is(dmaMapSgtable(dev, table, FromDevice), 0);
    master.writePattern(second.dmaAddress, PIECE, 1);
    dmaSyncSgtableForCpu(dev, table, FromDevice);
    cpu.load32(bench.addressOf(second));
    dmaSyncSgtableForDevice(dev, table, FromDevice);
    master.writePattern(first.dmaAddress, PIECE, 2);
    dmaUnmapSgtable(dev, table, FromDevice);
    cpu.load32(bench.addressOf(first));
    t.deepEqual(bench.rules(), []);

    t.is(dmaMapSg(dev, table.sgl, 2, FromDevice), 2);
    cpu.load32(bench.addressOf(second));
    dmaUnmapSg(dev, table.sgl, 1, FromDevice);
    dmaUnmapSg(dev, table.sgl, 2, FromDevice);
    const found = bench.findings.take().filter(({ rule }) => RULES[rule].severity === 'error');
    t.like(
      found.map(({ rule }) => rule),
      ['cpu-access-to-device-buffer', 'dma-debug', 'dma-debug'],
    );
    const [, counts, never] = found.map(({ access: { kind } }) => kind);
    t.regex(counts ?? '', /sg list with different entry count \[map count=2\] \[unmap count=1\]$/);
    t.regex(never ?? '', /tries to free DMA memory it has not allocated/);
    for (const { buffer, access } of found.slice(0, 2)) {
      t.regex(access.at ?? '', HERE);
      t.regex(buffer?.mappedAt ?? '', HERE);
      t.regex(buffer?.allocatedAt ?? '', HERE);
    }
  });

  test.serial(`${board}: coherent memory, until it is freed`, t => {
    const { cpuAddr, dmaHandle } = bench.coherent();
    cpu.store32(cpuAddr, 1);
    master.writePattern(offsetBy(dmaHandle, 64), 64, 3);
    cpu.load32(offsetBy(cpuAddr, 64));
    cpu.store32(offsetBy(cpuAddr, 128), 7);
    dmaFreeCoherent(dev, PAGE_SIZE, cpuAddr, dmaHandle);
    t.deepEqual(bench.rules(), []);
    master.checkPattern(dmaHandle, 4, 1);
    const [found] = bench.findings.take();
    t.is(found?.rule, 'device-access-after-unmap');
    t.regex(found?.buffer?.allocatedAt ?? '', HERE);
    t.regex(found?.buffer?.unmappedAt ?? '', HERE);
    const other = bench.coherent();
    dmaFreeCoherent(dev, 64, other.cpuAddr, other.dmaHandle);
    t.true(bench.rules().includes('dma-debug'), 'freed with another size');
  });

  test.serial(`${board}: memory of dma_alloc_noncoherent goes to and fro`, t => {
    const memory = dmaAllocNoncoherent(dev, PAGE_SIZE, Bidirectional, GFP_KERNEL);
    invariant(memory !== null, 'no memory');
    const { cpuAddr, dmaHandle } = memory;
    cpu.store32(cpuAddr, 1);
    dmaSyncSingleForDevice(dev, dmaHandle, PAGE_SIZE, Bidirectional);
    master.writePattern(dmaHandle, 64, 3);
    dmaSyncSingleForCpu(dev, dmaHandle, PAGE_SIZE, Bidirectional);
    cpu.load32(cpuAddr);
    dmaSyncSingleForDevice(dev, dmaHandle, PAGE_SIZE, Bidirectional);
    dmaFreeNoncoherent(dev, PAGE_SIZE, cpuAddr, dmaHandle, Bidirectional);
    t.deepEqual(bench.rules(), []);
    const other = dmaAllocNoncoherent(dev, PAGE_SIZE, ToDevice, GFP_KERNEL);
    invariant(other !== null, 'no memory');
    master.checkPattern(other.dmaHandle, 4, 0);
    t.true(bench.rules().includes('device-access-not-given'));
    dmaFreeNoncoherent(dev, PAGE_SIZE, other.cpuAddr, other.dmaHandle, FromDevice);
    t.deepEqual(bench.rules(), ['dma-debug'], 'freed with another direction');
  });

  test.serial(`${board}: memory of dma_alloc_noncontiguous is a list`, t => {
    const table = dmaAllocNoncontiguous(dev, 2 * PAGE_SIZE, FromDevice, GFP_KERNEL, 0);
    invariant(table !== null, 'no memory');
    const piece = pieceOf(table, 0);
    dmaSyncSgtableForDevice(dev, table, FromDevice);
    master.writePattern(piece.dmaAddress, 64, 1);
    dmaSyncSgtableForCpu(dev, table, FromDevice);
    cpu.load32(bench.addressOf(piece));
    dmaFreeNoncontiguous(dev, 2 * PAGE_SIZE, table, FromDevice);
    t.deepEqual(bench.rules(), []);
  });

  test.serial(`${board}: a block of a pool, until it is given back`, t => {
    const pool = dmaPoolCreate('descriptors', dev, 64, 64, 0);
    invariant(pool !== null, 'no pool');
    const [one, other] = [dmaPoolAlloc(pool, GFP_KERNEL), dmaPoolAlloc(pool, GFP_KERNEL)];
    invariant(one !== null && other !== null, 'no blocks');
    cpu.store32(one.cpuAddr, 1);
    master.writePattern(other.dmaHandle, 64, 3);
    cpu.load32(other.cpuAddr);
    dmaPoolFree(pool, other.cpuAddr, other.dmaHandle);
    t.deepEqual(bench.rules(), []);
    master.writePattern(other.dmaHandle, 4, 3);
    const [found] = bench.findings.take();
    t.is(found?.rule, 'device-access-after-unmap');
    t.is(found?.buffer?.range.size, 64);
    t.regex(found?.buffer?.allocatedAt ?? '', HERE);
    t.regex(found?.buffer?.unmappedAt ?? '', HERE);
    dmaPoolFree(pool, other.cpuAddr, other.dmaHandle);
    t.regex(bench.findings.take()[0]?.access.kind ?? '', /already free$/);
    dmaPoolFree(pool, one.cpuAddr, one.dmaHandle);
    dmaPoolDestroy(pool);
    t.deepEqual(bench.rules(), []);
  });

  test.serial(`${board}: registers are no memory, and memory is no registers`, t => {
    const registers = pageOutsideRam(bench);
    const address = dmaMapResource(dev, registers, 64, ToDevice);
    const isMapped = dmaMappingError(dev, address) === 0;
    if (isMapped) dmaUnmapResource(dev, address, 64, ToDevice);
    t.deepEqual(bench.rules(), []);
    const [ram] = bench.machine.kernel.mm.layout.ram;
    const memory = dmaMapResource(dev, physAddr((ram?.base ?? 0) + 2 ** 21), 64, ToDevice);
    t.deepEqual(bench.rules(), ['dma-debug']);
    if (dmaMappingError(dev, memory) === 0) dmaUnmapResource(dev, memory, 64, ToDevice);
    bench.rules();
  });

  test.serial(`${board}: all that is left is told at the end`, t => {
    t.deepEqual(bench.rules(), []);
    const left = bench.observer.dmaDebug.store.all.length;
    bench.observer.finish();
    t.deepEqual(bench.rules(), left > 0 ? ['dma-debug'] : []);
  });
}

/** An address below or above all RAM. */
const pageOutsideRam = ({ machine }: Bench): PhysAddr => {
  const [first] = machine.kernel.mm.layout.ram;
  invariant(first !== undefined, 'no RAM');
  const end = first.base + first.size;
  return physAddr(first.base >= PAGE_SIZE ? first.base - PAGE_SIZE : end);
};
