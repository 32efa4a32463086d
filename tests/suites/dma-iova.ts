import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { EINVAL, EIO } from '../../drivers/base/kernel/errno';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { BoundMaster, Machine } from '../../machines/machine';
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
import { DmaDirection, dmaUnmapSingle } from '../../mm/dma-mapping-common';
import { pageToPhys } from '../../mm/page-alloc';
import { deviceReads, deviceWrites, differing, fill, mapped, onEveryMaster } from './dma-support';
import type { Case, CaseContext, Suite } from './suite';
import { withPage } from './support';

const { FromDevice, ToDevice } = DmaDirection;

const PIECES = 3;
const SIZE = PIECES * PAGE_SIZE;
/** What is moved of each piece: a few lines, to the end of its page. */
const MOVED = 512;
const OFFSET = PAGE_SIZE - MOVED;
const ROUNDS = 3;
/** More than any IOMMU has addresses. */
const TOO_MUCH = 2 ** 50;

interface Piece {
  readonly page: Page;
  /** Of the bytes that are moved. */
  readonly at: CpuAddr;
}

/** Pages, most of them neighbours of nobody, for the length of the body. */
const withPieces = (
  t: CaseContext,
  body: (pieces: readonly Piece[]) => void,
  taken: readonly Piece[] = [],
): void => {
  withPage(t, (address, page) => {
    const all = [...taken, { page, at: offsetBy(address, OFFSET) }];
    // One in between is left out, so that no two are in a row.
    if (all.length === PIECES) body(all);
    else {
      withPage(t, () => {
        withPieces(t, body, all);
      });
    }
  });
};

const isTranslated = ({ kernel }: Machine, { device: { dev } }: BoundMaster): boolean =>
  kernel.iommus.dmaDomain(dev) !== null;

/** With every master whose addresses an IOMMU gives. */
const behindIommus = (
  name: string,
  body: (t: CaseContext, master: BoundMaster) => void,
  unfit: (machine: Machine, master: BoundMaster) => string | null = () => null,
): Case =>
  onEveryMaster(name, body, {
    machine: machine =>
      machine.masters.some(master => isTranslated(machine, master))
        ? null
        : 'no master behind an IOMMU that translates',
    master: ({ machine }, master) =>
      isTranslated(machine, master) ? unfit(machine, master) : 'no IOMMU translates for it',
  });

/** Addresses for so many bytes; nothing is linked to them when the body is done. */
const withState = (
  t: CaseContext,
  { device: { dev } }: BoundMaster,
  [first]: readonly Piece[],
  body: (state: DmaIovaState) => void,
): void => {
  const state = new DmaIovaState();
  const { page } = t.need(first, 'a page');
  t.ok(dmaIovaTryAlloc(dev, state, pageToPhys(page), SIZE), 'addresses');
  t.ok(dmaUseIova(state), 'addresses that are used');
  t.equal(dmaIovaSize(state), SIZE, 'the bytes that are reserved');
  body(state);
};

/** Links each piece behind the one before, and has it in force. */
const linkAll = (
  t: CaseContext,
  { device: { dev } }: BoundMaster,
  state: DmaIovaState,
  pieces: readonly Piece[],
  direction: DmaDirection,
): void => {
  pieces.forEach(({ page }, i) => {
    const offset = i * PAGE_SIZE;
    const result = dmaIovaLink(dev, state, pageToPhys(page), offset, PAGE_SIZE, direction);
    t.equal(result, 0, `the result of linking piece ${i}`);
  });
  t.equal(dmaIovaSync(dev, state, 0, SIZE), 0, 'the result of the sync');
};

const movedOf = ({ addr }: DmaIovaState, piece: number): DmaAddr =>
  offsetBy(addr, piece * PAGE_SIZE + OFFSET);

const toDevice = behindIommus('pieces_are_linked_to_one_run_of_addresses', (t, master) => {
  const { dev } = master.device;
  withPieces(t, pieces => {
    pieces.forEach(({ at }, i) => {
      fill(t, at, MOVED, i);
    });
    withState(t, master, pieces, state => {
      linkAll(t, master, state, pieces, ToDevice);
      pieces.forEach((_, i) => {
        deviceReads(t, master, movedOf(state, i), MOVED, i);
      });
      dmaIovaDestroy(dev, state, SIZE, ToDevice);
    });
  });
});

const fromDevice = behindIommus(
  'what_the_device_wrote_is_read_when_it_is_unlinked',
  (t, master) => {
    const { dev } = master.device;
    withPieces(t, pieces => {
      pieces.forEach(({ at }) => {
        fill(t, at, MOVED, 50);
      });
      withState(t, master, pieces, state => {
        linkAll(t, master, state, pieces, FromDevice);
        pieces.forEach((_, i) => {
          deviceWrites(t, master, movedOf(state, i), MOVED, i);
        });
        dmaIovaUnlink(dev, state, 0, SIZE, FromDevice);
        pieces.forEach(({ at }, i) => {
          t.equal(differing(t, at, MOVED, i), 0, `the wrong bytes of piece ${i}`);
        });
        dmaIovaFree(dev, state);
      });
    });
  },
);

/** The same addresses lead to other memory each time: what an IOMMU keeps of them must be gone. */
const exchanged = behindIommus('addresses_stay_while_memory_is_exchanged', (t, master) => {
  const { dev } = master.device;
  withPieces(t, pieces => {
    withState(t, master, pieces, state => {
      const before = state.addr;
      for (let round = 0; round < ROUNDS * PIECES; round++) {
        const { page, at } = t.need(pieces[round % PIECES], 'a piece');
        fill(t, at, MOVED, round);
        const physical = pageToPhys(page);
        const result = dmaIovaLink(dev, state, physical, 0, PAGE_SIZE, ToDevice);
        t.equal(result, 0, 'the result of linking');
        t.equal(dmaIovaSync(dev, state, 0, PAGE_SIZE), 0, 'the result of the sync');
        deviceReads(t, master, movedOf(state, 0), MOVED, round);
        dmaIovaUnlink(dev, state, 0, PAGE_SIZE, ToDevice);
      }
      t.equal(state.addr, before, 'the addresses');
      dmaIovaFree(dev, state);
    });
  });
});

const inside = behindIommus('the_first_piece_alone_begins_inside_a_page', (t, master) => {
  const { dev } = master.device;
  withPieces(t, pieces => {
    const [first, second] = pieces;
    if (first === undefined || second === undefined) return;
    fill(t, first.at, MOVED, 1);
    const state = new DmaIovaState();
    const physical = offsetBy(pageToPhys(first.page), OFFSET);
    t.ok(dmaIovaTryAlloc(dev, state, physical, MOVED + PAGE_SIZE), 'addresses');
    t.equal(state.addr % PAGE_SIZE, OFFSET, 'the offset of the addresses in a page');
    const link = (at: typeof physical, offset: number, size: number): number =>
      dmaIovaLink(dev, state, at, offset, size, ToDevice);
    t.equal(link(physical, 0, MOVED), 0, 'the result of linking the first');
    const other = pageToPhys(second.page);
    t.equal(link(offsetBy(other, 64), MOVED, 64), -EIO, 'a second inside a page');
    t.equal(link(other, MOVED, PAGE_SIZE + 1), -EINVAL, 'one beyond what was reserved');
    t.equal(dmaIovaSync(dev, state, 0, MOVED), 0, 'the result of the sync');
    deviceReads(t, master, state.addr, MOVED, 1);
    dmaIovaDestroy(dev, state, MOVED, ToDevice);
  });
});

const ended = behindIommus(
  'what_was_unlinked_is_out_of_reach',
  (t, master) => {
    const { device } = master;
    const { dev } = device;
    withPieces(t, pieces => {
      withState(t, master, pieces, state => {
        t.takeFindings();
        linkAll(t, master, state, pieces, FromDevice);
        dmaIovaUnlink(dev, state, 0, PAGE_SIZE, FromDevice);
        t.equal(device.writePattern(movedOf(state, 0), MOVED, 1), -EIO, 'a write to the first');
        const found = t.takeFindings();
        if (t.machine.findings !== null)
          t.ok(found.includes('device-access-after-unmap'), 'a finding of it');
        deviceWrites(t, master, movedOf(state, 1), MOVED, 2);
        dmaIovaUnlink(dev, state, PAGE_SIZE, SIZE - PAGE_SIZE, FromDevice);
        dmaIovaFree(dev, state);
        t.equal(device.writePattern(movedOf(state, 1), MOVED, 3), -EIO, 'a write to the second');
        t.takeFindings();
      });
    });
  },
  ({ kernel }, { device: { dev } }) =>
    (kernel.iommus.dmaDomain(dev)?.queue ?? null) === null
      ? null
      : 'the IOMMU is invalidated later',
);

const exhausted = behindIommus('without_addresses_there_are_none', (t, master) => {
  const { dev } = master.device;
  withPieces(t, ([first]) => {
    const { page } = t.need(first, 'a page');
    const state = new DmaIovaState();
    for (const size of [0, TOO_MUCH]) {
      t.ok(!dmaIovaTryAlloc(dev, state, pageToPhys(page), size), `no addresses for ${size} bytes`);
      t.ok(!dmaUseIova(state), 'nothing that could be used');
    }
  });
});

/** As a driver does it: it asks for addresses, and maps piece by piece where there are none. */
const direct = onEveryMaster(
  'a_device_behind_no_iommu_maps_piece_by_piece',
  (t, master, gfp) => {
    const { dev } = master.device;
    withPage(
      t,
      (address, page) => {
        fill(t, address, MOVED, 4);
        const state = new DmaIovaState();
        const physical = pageToPhys(page);
        t.ok(!dmaIovaTryAlloc(dev, state, physical, PAGE_SIZE), 'no addresses');
        const result = dmaIovaLink(dev, state, physical, 0, PAGE_SIZE, ToDevice);
        t.equal(result, -EIO, 'the result of linking all the same');
        const dma = mapped(t, dev, address, PAGE_SIZE, ToDevice);
        deviceReads(t, master, dma, MOVED, 4);
        dmaUnmapSingle(dev, dma, PAGE_SIZE, ToDevice);
      },
      0,
      gfp,
    );
  },
  {
    master: ({ machine }, master) =>
      isTranslated(machine, master) ? 'an IOMMU translates for every master' : null,
  },
);

export const dmaIovaSuite: Suite = {
  name: 'dma-iova',
  summary: 'DMA in two steps: addresses are reserved, memory is linked to them piece by piece',
  cases: [toDevice, fromDevice, exchanged, inside, ended, exhausted, direct],
};
