import test from 'ava';
import fc from 'fast-check';
import { EINVAL, EIO, ENOMEM } from '../../drivers/base/kernel/errno';
import { physAddr } from '../../drivers/base/types/address';
import { UnmodelledError } from '../../drivers/base/types/errors';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DmaIovaState,
  dmaIovaDestroy,
  dmaIovaFree,
  dmaIovaLink,
  dmaIovaSize,
  dmaIovaSync,
  dmaIovaTryAlloc,
  dmaIovaUnlink,
  dmaUseIova,
} from '../../mm/dma-iova';
import { DmaAttr, DmaDirection } from '../../mm/dma-mapping-common';
import { IommuProt } from '../../mm/iommu/types';
import { boot } from '../support/booted';
import { dmaDevice } from '../support/dma-device';
import { directOps } from '../support/direct-ops';
import { FakeIommuBench } from '../support/fake-iommu';
import { Stages } from '../support/fake-stages';

const { Bidirectional, ToDevice, FromDevice } = DmaDirection;
const { services } = boot('versatile-pb').kernel;

const bench = () => {
  const made = new FakeIommuBench(services, { pages: 64 });
  const maintained: string[] = [];
  const cache = {
    syncForDevice: (at: number, size: number) => maintained.push(`for device ${size} at ${at}`),
    syncForCpu: (at: number, size: number) => maintained.push(`for CPU ${size} at ${at}`),
  };
  const dev = made.device(0, {}, { cache });
  return { made, dev, table: made.tableOf(dev), maintained, free: made.freeFrames(dev) };
};

const at = (pfn: number, offset = 0) => physAddr(pfn * PAGE_SIZE + offset);

test('a device that is behind no IOMMU has no addresses to give: it maps page by page', t => {
  const memory = { maxAddress: 2 ** 32, dmaZoneLimit: null, ram: [{ base: 0, size: 2 ** 32 }] };
  const dev = dmaDevice(services, { ops: directOps(null, memory) });
  const state = new DmaIovaState();
  t.false(dmaIovaTryAlloc(dev, state, at(5), PAGE_SIZE));
  t.false(dmaUseIova(state));
  t.is(dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, ToDevice), -EIO);
});

test('addresses are reserved at once, memory is linked to them, and all ends in one go', t => {
  const { made, dev, table, free } = bench();
  const state = new DmaIovaState();
  t.true(dmaIovaTryAlloc(dev, state, at(5), 3 * PAGE_SIZE));
  t.true(dmaUseIova(state));
  t.is(dmaIovaSize(state), 3 * PAGE_SIZE);
  t.is(table.entries.size, 0, 'nothing is linked yet');
  t.is(dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, ToDevice), 0);
  t.is(dmaIovaLink(dev, state, at(9), PAGE_SIZE, 2 * PAGE_SIZE, ToDevice), 0);
  t.is(dmaIovaSync(dev, state, 0, 3 * PAGE_SIZE), 0);
  const lead = [0, 1, 2].map(n => table.entries.get(state.addr / PAGE_SIZE + n)?.frame);
  t.deepEqual(lead, [5, 9, 10]);
  t.true(table.permits(state.addr, 3 * PAGE_SIZE, false));
  t.false(table.permits(state.addr, 1, true));
  dmaIovaDestroy(dev, state, 3 * PAGE_SIZE, ToDevice);
  t.is(table.entries.size, 0);
  t.is(table.unflushed.size, 0);
  t.is(made.freeFrames(dev), free);
});

test('a piece that would have to be bounced is not modelled, and says so', t => {
  const made = new FakeIommuBench(services, { pages: 64 });
  const stages = new Stages();
  stages.bouncesFrom = 9 * PAGE_SIZE;
  const dev = made.device(0, {}, { bounce: stages.bounce });
  const state = new DmaIovaState();
  dmaIovaTryAlloc(dev, state, at(5), 2 * PAGE_SIZE);
  t.is(dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, ToDevice), 0);
  const link = (): number => dmaIovaLink(dev, state, at(9), PAGE_SIZE, 64, FromDevice);
  t.throws(link, { instanceOf: UnmodelledError });
});

test('bytes that are not linked end an unlink, which says so', t => {
  const { dev, table } = bench();
  const { log } = dev.services;
  const state = new DmaIovaState();
  dmaIovaTryAlloc(dev, state, at(5), 3 * PAGE_SIZE);
  dmaIovaLink(dev, state, at(5), 0, 3 * PAGE_SIZE, ToDevice);
  dmaIovaUnlink(dev, state, 0, PAGE_SIZE, ToDevice);
  const before = log.lines.length;
  dmaIovaUnlink(dev, state, PAGE_SIZE, PAGE_SIZE, ToDevice);
  t.is(log.lines.length, before);
  dmaIovaUnlink(dev, state, PAGE_SIZE, 2 * PAGE_SIZE, ToDevice);
  t.is(table.entries.size, 1, 'what lies beyond stays');
  t.regex(log.lines.at(-1)?.text ?? '', /WARNING: unlink of 0x0 of 0x2000 bytes at 0x/);
});

test('the first piece may begin inside a page, and the addresses with it; no other may', t => {
  const { dev, table } = bench();
  const state = new DmaIovaState();
  t.true(dmaIovaTryAlloc(dev, state, at(5, 100), 2 * PAGE_SIZE));
  t.is(state.addr % PAGE_SIZE, 100);
  t.is(dmaIovaLink(dev, state, at(5, 100), 0, PAGE_SIZE - 100, FromDevice), 0);
  t.is(dmaIovaLink(dev, state, at(8, 4), PAGE_SIZE - 100, 8, FromDevice), -EIO);
  t.is(dmaIovaLink(dev, state, at(8), PAGE_SIZE - 100, PAGE_SIZE + 101, FromDevice), -EINVAL);
  t.is(dmaIovaLink(dev, state, at(8), PAGE_SIZE - 100, PAGE_SIZE + 100, FromDevice), 0);
  t.is(table.iovaToPhys(state.addr), at(5, 100));
  t.is(table.entries.size, 3);
});

test('what is unlinked keeps its addresses, which can be linked again', t => {
  const { made, dev, table, free } = bench();
  const state = new DmaIovaState();
  dmaIovaTryAlloc(dev, state, at(5), 2 * PAGE_SIZE);
  dmaIovaLink(dev, state, at(5), 0, 2 * PAGE_SIZE, Bidirectional);
  dmaIovaUnlink(dev, state, PAGE_SIZE, PAGE_SIZE, Bidirectional);
  t.is(table.entries.size, 1);
  t.is(table.unflushed.size, 0);
  t.is(made.freeFrames(dev), free - 2);
  t.is(dmaIovaLink(dev, state, at(30), PAGE_SIZE, PAGE_SIZE, Bidirectional), 0);
  dmaIovaUnlink(dev, state, 0, 2 * PAGE_SIZE, Bidirectional);
  dmaIovaFree(dev, state);
  t.is(made.freeFrames(dev), free);
});

test('caches are maintained by piece, but not for registers, nor if the driver does it', t => {
  const { dev, maintained, table } = bench();
  const state = new DmaIovaState();
  dmaIovaTryAlloc(dev, state, at(5), 3 * PAGE_SIZE);
  dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, FromDevice);
  dmaIovaLink(dev, state, at(9), PAGE_SIZE, PAGE_SIZE, FromDevice, DmaAttr.SkipCpuSync);
  t.is(dmaIovaLink(dev, state, at(11), 2 * PAGE_SIZE, PAGE_SIZE, FromDevice, DmaAttr.Mmio), 0);
  const mmio = table.entries.get(state.addr / PAGE_SIZE + 2)?.prot;
  t.is(mmio, IommuProt.Write + IommuProt.Mmio);
  t.deepEqual(maintained.splice(0), [`for device ${PAGE_SIZE} at ${at(5)}`]);
  dmaIovaUnlink(dev, state, 2 * PAGE_SIZE, PAGE_SIZE, FromDevice, DmaAttr.Mmio);
  t.deepEqual(maintained.splice(0), []);
  dmaIovaDestroy(dev, state, 2 * PAGE_SIZE, FromDevice);
  t.deepEqual(
    maintained,
    [5, 9].map(pfn => `for CPU ${PAGE_SIZE} at ${at(pfn)}`),
  );
});

test('what cannot be reserved is not, and what the IOMMU refuses is answered', t => {
  const { made, dev, table, free } = bench();
  const state = new DmaIovaState();
  t.false(dmaIovaTryAlloc(dev, state, at(5), 0));
  t.false(dmaIovaTryAlloc(dev, state, at(5), 64 * PAGE_SIZE));
  t.is(made.freeFrames(dev), free);
  t.true(dmaIovaTryAlloc(dev, state, at(5), PAGE_SIZE));
  table.mapsLeft = 0;
  t.is(dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, ToDevice), -ENOMEM);
  dmaIovaDestroy(dev, state, 0, ToDevice);
  t.is(made.freeFrames(dev), free);
  t.is(table.entries.size, 0);
});

test('property: pieces linked in any order lead where they were linked, and end without a rest', t => {
  const piece = fc.record({ pages: fc.integer({ min: 1, max: 4 }), pfn: fc.nat(1000) });
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(7), { maxLength: 8 }),
      (pieces, order) => {
        const { made, dev, table, free } = bench();
        const state = new DmaIovaState();
        const total = pieces.reduce((sum, { pages }) => sum + pages, 0) * PAGE_SIZE;
        if (!dmaIovaTryAlloc(dev, state, at(0), total)) return false;
        const chosen = new Set([...order, ...pieces.keys()].filter(i => i < pieces.length));
        const offsetOf = (i: number): number =>
          pieces.slice(0, i).reduce((sum, { pages }) => sum + pages, 0) * PAGE_SIZE;
        for (const i of chosen) {
          const { pages = 0, pfn = 0 } = pieces[i] ?? {};
          if (dmaIovaLink(dev, state, at(pfn), offsetOf(i), pages * PAGE_SIZE, ToDevice) !== 0) {
            return false;
          }
        }
        const frames = pieces.flatMap(({ pages, pfn }) =>
          Array.from({ length: pages }, (_, n) => pfn + n),
        );
        const isRight = frames.every(
          (frame, n) => table.entries.get(state.addr / PAGE_SIZE + n)?.frame === frame,
        );
        dmaIovaDestroy(dev, state, total, ToDevice);
        return isRight && table.entries.size === 0 && made.freeFrames(dev) === free;
      },
    ),
    { numRuns: 100 },
  );
  t.pass();
});

test('what is linked is put in force by the sync, of all links at once', t => {
  const { dev, table } = bench();
  const state = new DmaIovaState();
  t.true(dmaIovaTryAlloc(dev, state, at(5), 2 * PAGE_SIZE));
  t.is(dmaIovaLink(dev, state, at(5), 0, PAGE_SIZE, ToDevice), 0);
  t.is(dmaIovaLink(dev, state, at(9), PAGE_SIZE, PAGE_SIZE, ToDevice), 0);
  t.deepEqual(table.synced, []);
  t.is(dmaIovaSync(dev, state, 0, 2 * PAGE_SIZE), 0);
  t.deepEqual(table.synced, [[state.addr / PAGE_SIZE, 2]]);
  dmaIovaDestroy(dev, state, 2 * PAGE_SIZE, ToDevice);
});

test('addresses that are given back twice are warned of', t => {
  const { dev, made, free } = bench();
  const state = new DmaIovaState();
  t.true(dmaIovaTryAlloc(dev, state, at(5), PAGE_SIZE));
  const before = services.log.lines.length;
  dmaIovaFree(dev, state);
  dmaIovaFree(dev, state);
  t.regex(
    services.log.lines.slice(before)[0]?.text ?? '',
    /WARNING: free of 0x1000 bytes at .*, which nobody has/,
  );
  t.is(made.freeFrames(dev), free);
});
