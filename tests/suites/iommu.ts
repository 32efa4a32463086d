import { EBUSY } from '../../drivers/base/kernel/errno';
import { dmaAddr, offsetBy } from '../../drivers/base/types/address';
import { PAGE_SIZE, alignDown, alignUp } from '../../drivers/base/types/bits';
import {
  DmaDirection,
  dmaBitMask,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMaskAndCoherent,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { iommuMap, iommuUnmap } from '../../mm/iommu/map';
import { pageSizesIn } from '../../mm/iommu/page-sizes';
import { IommuProt } from '../../mm/iommu/types';
import type { IommuFault } from '../../mm/iommu/types';
import { pageToPhys } from '../../mm/page-alloc';
import { deviceReads, deviceWrites, differing, fill, mapped, reachable } from './dma-support';
import {
  READ_WRITE,
  at,
  endsFaults,
  hasPermissions,
  iommuMasters,
  mapBuffer,
  onEveryIommu,
  withOwnDomain,
  withoutIommu,
} from './iommu-support';
import type { IommuMaster, OwnDomain } from './iommu-support';
import type { Case, CaseContext, Suite } from './suite';
import { withDmaBuffer } from './support';

const SIZE = 256;
/** A walk is flushed page by page: of a table more would be long. */
const MOST_SMALL = 512;
/** Simulated ns in which an interrupt has long come. */
const LONG = 1_000_000;

const seen = onEveryIommu('what_is_mapped_is_what_the_device_touches', (t, own) => {
  const { master, iova, ops } = own;
  own.withBuffer(0, buffer => {
    mapBuffer(t, own, iova, buffer);
    t.equal(ops.iovaToPhys(at(iova, 12)) ?? 0, pageToPhys(buffer.page) + 12, 'iovaToPhys');
    buffer.forCpu();
    fill(t, buffer.address, SIZE, 1);
    buffer.forDevice();
    deviceReads(t, master, iova, SIZE, 1);
    deviceWrites(t, master, at(iova, SIZE), SIZE, 2);
    buffer.forCpu();
    t.equal(
      differing(t, offsetBy(buffer.address, SIZE), SIZE, 2),
      0,
      'the wrong bytes that it wrote',
    );
    t.equal(iommuUnmap(ops, iova, buffer.size), buffer.size, 'iommuUnmap');
    t.ok(ops.iovaToPhys(iova) === null, 'nothing to be mapped any more');
  });
});

const remapped = onEveryIommu('an_address_leads_where_it_was_mapped_last', (t, own) => {
  const { master, iova, ops } = own;
  own.withBuffer(0, first => {
    own.withBuffer(0, second => {
      mapBuffer(t, own, iova, first);
      deviceWrites(t, master, iova, SIZE, 1);
      iommuUnmap(ops, iova, first.size);
      mapBuffer(t, own, iova, second);
      deviceWrites(t, master, iova, SIZE, 2);
      first.forCpu();
      second.forCpu();
      t.equal(differing(t, first.address, SIZE, 1), 0, 'the wrong bytes of the first page');
      t.equal(differing(t, second.address, SIZE, 2), 0, 'the wrong bytes of the second');
      iommuUnmap(ops, iova, second.size);
    });
  });
});

const neighbours = onEveryIommu(
  'mappings_next_to_each_other_do_not_disturb_each_other',
  (t, own) => {
    const { master, iova, ops } = own;
    own.withBuffer(0, first => {
      mapBuffer(t, own, iova, first);
      deviceWrites(t, master, iova, SIZE, 1);
      own.withBuffer(0, second => {
        // What lay beside a mapping that is in use was nothing a moment ago.
        mapBuffer(t, own, at(iova, PAGE_SIZE), second);
        deviceWrites(t, master, at(iova, PAGE_SIZE), SIZE, 2);
        iommuUnmap(ops, iova, first.size);
        deviceWrites(t, master, at(iova, PAGE_SIZE + SIZE), SIZE, 3);
        second.forCpu();
        t.equal(differing(t, second.address, SIZE, 2), 0, 'the wrong bytes of the second');
        t.equal(
          differing(t, offsetBy(second.address, SIZE), SIZE, 3),
          0,
          'the wrong bytes behind them',
        );
        iommuUnmap(ops, at(iova, PAGE_SIZE), second.size);
      });
    });
  },
);

/** The largest page that a few pages of memory hold. */
const ORDER = 4;

const large = onEveryIommu('large_pages_lead_where_small_ones_do', (t, own) => {
  const { master, iova, ops } = own;
  const fitting = pageSizesIn(ops.pageSizes).filter(size => size <= PAGE_SIZE * 2 ** ORDER);
  for (const size of fitting) {
    const order = Math.log2(size / PAGE_SIZE);
    if (order < 0) continue;
    own.withBuffer(order, buffer => {
      mapBuffer(t, own, iova, buffer);
      const last = size - SIZE;
      deviceWrites(t, master, at(iova, last), SIZE, order);
      buffer.forCpu();
      t.equal(
        differing(t, offsetBy(buffer.address, last), SIZE, order),
        0,
        `the wrong bytes of ${size}`,
      );
      t.equal(iommuUnmap(ops, iova, size), size, 'iommuUnmap of a page');
    });
  }
});

/**
 * Small pages had a table: walks that went through it are not to go on through it when a large page
 * is there, which leads elsewhere. Of the large page the device touches only what is its own.
 */
const replaced = onEveryIommu('a_large_page_takes_the_place_of_small_ones', (t, own) => {
  const { master, iova, ops } = own;
  const [small = 0, ...others] = pageSizesIn(ops.pageSizes);
  own.withBuffer(0, one => {
    own.withBuffer(0, other => {
      const physical = pageToPhys(other.page);
      for (const large of others) {
        const start = alignUp(iova, large);
        if (large > small * MOST_SMALL || start + large - 1 > ops.apertureEnd) continue;
        const buffer = at(start, physical % large);
        mapBuffer(t, own, buffer, one);
        deviceWrites(t, master, buffer, SIZE, 1);
        // Words of one table for the large page: of those that say nothing nothing is unmapped.
        if (iommuUnmap(ops, start, large) === 0) iommuUnmap(ops, buffer, PAGE_SIZE);
        const first = alignDown(physical, large);
        t.equal(iommuMap(ops, start, first, large, READ_WRITE), 0, `iommuMap of ${large}`);
        deviceWrites(t, master, buffer, SIZE, 2);
        t.equal(iommuUnmap(ops, start, large), large, 'iommuUnmap of the large page');
        other.forCpu();
        t.equal(differing(t, other.address, SIZE, 2), 0, 'the wrong bytes of the large page');
        other.forDevice();
        mapBuffer(t, own, buffer, one);
        deviceWrites(t, master, buffer, SIZE, 3);
        t.equal(iommuUnmap(ops, buffer, PAGE_SIZE), PAGE_SIZE, 'iommuUnmap of the small page');
      }
    });
  });
});

const readOnly = onEveryIommu(
  'what_may_be_read_is_not_written',
  (t, own) => {
    const { master, iova, ops } = own;
    own.withBuffer(0, buffer => {
      mapBuffer(t, own, iova, buffer, IommuProt.Read);
      buffer.forCpu();
      fill(t, buffer.address, SIZE, 1);
      buffer.forDevice();
      deviceReads(t, master, iova, SIZE, 1);
      t.ok(master.device.writePattern(iova, SIZE, 2) !== 0, 'the write to end with an error');
      buffer.forCpu();
      t.equal(differing(t, buffer.address, SIZE, 1), 0, 'the bytes that were written');
      iommuUnmap(ops, iova, buffer.size);
    });
  },
  one => hasPermissions(one) && endsFaults(one),
);

/** Somebody hears of faults of this IOMMU: the board has wired its interrupt. */
const isWired = ({ machine }: CaseContext, { nodes }: IommuMaster): boolean =>
  machine.hardware.interrupts !== null &&
  nodes.every(({ path }) => !machine.notes.some(note => note.startsWith(`${path}: interrupts`)));

const faults = onEveryIommu('a_fault_reaches_the_device_and_the_driver', (t, own) => {
  const { master, dev, iova, ops, domain } = own;
  const { iommus } = t.machine.kernel;
  own.withBuffer(0, buffer => {
    const told: IommuFault[] = [];
    iommus.setFaultHandler(domain, fault => {
      told.push(fault);
      if (ops.iovaToPhys(iova) !== null) return 0;
      // Whoever waits for the answer to a fault goes on with this.
      return iommuMap(
        ops,
        iova,
        pageToPhys(buffer.page),
        buffer.size,
        IommuProt.Read + IommuProt.Write,
      );
    });
    const error = master.device.writePattern(at(iova, 8), SIZE, 1);
    if (isWired(t, own)) {
      t.ok(
        dev.services.waitUntil(() => told.length > 0, LONG),
        'the driver to hear of the fault',
      );
      t.equal((told[0]?.address ?? 0) - iova, 8, 'the place of the fault');
    }
    t.ok(error !== 0 || told.length > 0, 'the write to end with an error, or to be helped');
    if (endsFaults(own)) t.ok(error !== 0, 'the write to end with an error');
    if (ops.iovaToPhys(iova) === null) mapBuffer(t, own, iova, buffer);
    deviceWrites(t, master, at(iova, 8), SIZE, 2);
    buffer.forCpu();
    t.equal(
      differing(t, offsetBy(buffer.address, 8), SIZE, 2),
      0,
      'the wrong bytes after the fault',
    );
    iommuUnmap(ops, iova, buffer.size);
  });
});

/** By the DMA API, as if nobody had ever taken the device from it. */
const usesDmaApi = (t: CaseContext, { master, dev }: IommuMaster, seed: number): void => {
  const gfp = t.need(reachable(t, master.device), 'memory that it reaches');
  withDmaBuffer(t, SIZE, gfp, buffer => {
    const address = mapped(t, dev, buffer, SIZE, DmaDirection.FromDevice);
    deviceWrites(t, master, address, SIZE, seed);
    dmaUnmapSingle(dev, address, SIZE, DmaDirection.FromDevice);
    t.equal(differing(t, buffer, SIZE, seed), 0, 'the wrong bytes by the DMA API');
  });
};

const attached: Case = {
  name: 'a_device_goes_to_its_own_domain_and_back',
  unfit: withoutIommu,
  run: t => {
    const { iommus } = t.machine.kernel;
    for (const one of iommuMasters(t.machine)) {
      usesDmaApi(t, one, 1);
      withOwnDomain(t, one, ({ domain, iova, ops, withBuffer, master }: OwnDomain) => {
        const other = t.need(iommus.domainAlloc(one.dev), 'another domain');
        t.equal(
          iommus.attachDevice(other, one.dev),
          -EBUSY,
          'attachDevice of one that is attached',
        );
        iommus.domainFree(other);
        withBuffer(0, buffer => {
          mapBuffer(t, { ops }, iova, buffer);
          deviceWrites(t, master, iova, SIZE, 2);
          iommus.detachDevice(domain, one.dev);
          usesDmaApi(t, one, 3);
          // What a domain maps is there again when somebody is.
          t.equal(iommus.attachDevice(domain, one.dev), 0, 'attachDevice, again');
          deviceWrites(t, master, iova, SIZE, 4);
          buffer.forCpu();
          t.equal(differing(t, buffer.address, SIZE, 4), 0, 'the wrong bytes');
          iommuUnmap(ops, iova, buffer.size);
        });
      });
      usesDmaApi(t, one, 5);
    }
  },
};

const blocked: Case = {
  name: 'nothing_passes_while_somebody_owns_the_device',
  unfit: withoutIommu,
  run: t => {
    const { iommus } = t.machine.kernel;
    for (const one of iommuMasters(t.machine).filter(endsFaults)) {
      const { dev, master } = one;
      t.equal(iommus.claimDmaOwner(dev), 0, 'claimDmaOwner');
      t.equal(iommus.claimDmaOwner(dev), -EBUSY, 'claimDmaOwner of one that has an owner');
      const { apertureStart = 0 } = iommus.dmaDomain(dev)?.ops ?? {};
      const error = master.device.writePattern(dmaAddr(apertureStart + 0x10_0000), SIZE, 1);
      t.ok(error !== 0, 'the write to end with an error');
      iommus.releaseDmaOwner(dev);
      // Its driver hears of what it did, and says it.
      dev.services.waitUntil(() => false, 1000);
      usesDmaApi(t, one, 2);
    }
  },
};

const identity: Case = {
  name: 'in_an_identity_domain_addresses_are_those_of_memory',
  unfit: machine =>
    iommuMasters(machine).some(({ group }) => group.defaultDomain.type === 'identity')
      ? null
      : 'no master has an identity domain',
  run: t => {
    for (const one of iommuMasters(t.machine)) {
      if (one.group.defaultDomain.type === 'identity') usesDmaApi(t, one, 1);
    }
  },
};

/** One program, one buffer, all masters of the board: what one writes the next one reads. */
const relay: Case = {
  name: 'one_buffer_goes_through_all_masters',
  unfit: withoutIommu,
  run: t => {
    const masters = t.machine.masters.filter(master => {
      dmaSetMaskAndCoherent(master.device.dev, dmaBitMask(64));
      return reachable(t, master.device) !== null;
    });
    const [first] = masters;
    const gfp = t.need(reachable(t, t.need(first, 'a master').device), 'memory');
    withDmaBuffer(t, PAGE_SIZE, gfp, buffer => {
      fill(t, buffer, SIZE, 0);
      masters.forEach((master, turn) => {
        const { dev } = master.device;
        const address = dmaMapSingle(dev, buffer, PAGE_SIZE, DmaDirection.Bidirectional);
        t.equal(dmaMappingError(dev, address), 0, `dmaMappingError for ${dev.name}`);
        deviceReads(t, master, address, SIZE, turn);
        deviceWrites(t, master, address, SIZE, turn + 1);
        dmaUnmapSingle(dev, address, PAGE_SIZE, DmaDirection.Bidirectional);
      });
      t.equal(differing(t, buffer, SIZE, masters.length), 0, 'the wrong bytes in the end');
    });
  },
};

export const iommuSuite: Suite = {
  name: 'iommu',
  summary: 'IOMMUs by their own API: domains, mappings, faults, and one buffer through all masters',
  cases: [
    seen,
    remapped,
    neighbours,
    large,
    replaced,
    readOnly,
    faults,
    attached,
    blocked,
    identity,
    relay,
  ],
};
