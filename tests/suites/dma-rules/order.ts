import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import { offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE, hi32, lo32 } from '../../../drivers/base/types/bits';
import { DESCRIPTOR, DESCRIPTOR_FLAGS } from '../../../drivers/misc/test-master/regs';
import { dmaAllocCoherent, dmaFreeCoherent } from '../../../mm/dma-mapping-common';
import { buffersStores, sharedStoresWait } from '../rules/conditions';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { withoutCoherent } from './memory';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

/** Where in the page the data is; descriptors are before it. */
const DATA = 1024;
const ENTRIES = 4;
/** How often the device looks at a descriptor that nobody has told it of. */
const LOOKS = 1000;

/** Coherent memory whose data the CPU has just stored. */
const withData = (bench: RuleBench, body: (cpu: CpuAddr, dma: DmaAddr) => void): void => {
  const { t, dev } = bench;
  const memory = t.need(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL), 'a page');
  bench.storeWords(offsetBy(memory.cpuAddr, DATA), 2);
  body(memory.cpuAddr, memory.dmaHandle);
  dmaFreeCoherent(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
};

/** What the CPU stores to memory that it shares is never late: stores do not wait here. */
const isInOrder = ({ t, dev }: RuleBench): boolean => {
  const isLate = buffersStores(t.machine) === null;
  return !isLate || (!dev.dma.coherent && sharedStoresWait(t.machine) !== null);
};

const nothing = (): void => undefined;

/** The descriptor of the data, given to a device that polls for it. */
const handOver = (bench: RuleBench, beforeOwn: () => void): void => {
  const { device } = bench;
  const { cpu } = bench.kernel;
  withData(bench, (address, dma) => {
    device.startRing(dma, ENTRIES);
    device.pollRing(LOOKS);
    const data = offsetBy(dma, DATA);
    cpu.store32(address + DESCRIPTOR.LENGTH, SIZE);
    cpu.store32(address + DESCRIPTOR.ADDRESS_LO, lo32(data) | 0);
    cpu.store32(address + DESCRIPTOR.ADDRESS_HI, hi32(data));
    cpu.store32(address + DESCRIPTOR.SEED, 2);
    beforeOwn();
    cpu.store32(address + DESCRIPTOR.FLAGS, DESCRIPTOR_FLAGS.OWN.at(1) | 0);
    bench.sleepUntilDone();
    device.finishCheck();
    device.stopRing();
  });
};

/** The doorbell of the data, by writel_relaxed(). */
const ring = (bench: RuleBench, beforeDoorbell: () => void): void => {
  withData(bench, (_address, dma) => {
    beforeDoorbell();
    bench.device.startCheck(offsetBy(dma, DATA), SIZE, 2, 'relaxed');
    bench.sleepUntilDone();
    bench.device.finishCheck();
  });
};

/** What comes of a device that acts on what is not there yet. */
const CONSEQUENCES = [
  ...(['lost-cpu-write', 'lost-device-write', 'dirty-line-over-device-data'] as const),
];

/** The first is what it is called once its story is known. */
const CAUGHT_BY = ['missing-write-barrier', 'stale-device-read', 'missing-outer-sync'] as const;

/** Rules 2 and 3: coherent memory is not ordered. */
export const ORDER_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 2,
    name: 'what_a_descriptor_needs_is_stored_and_a_barrier_comes_before_its_own_bit',
    unfit: withoutCoherent,
    right: bench => {
      handOver(bench, () => {
        bench.dev.services.barriers.dmaWmb();
      });
    },
    wrong: [
      {
        caughtBy: CAUGHT_BY,
        consequences: CONSEQUENCES,
        isHarmless: isInOrder,
        run: bench => {
          handOver(bench, nothing);
        },
      },
    ],
  }),
  dmaRule({
    number: 3,
    name: 'write_buffers_are_flushed_before_the_doorbell',
    unfit: withoutCoherent,
    right: bench => {
      ring(bench, () => {
        bench.dev.services.barriers.wmb();
      });
    },
    wrong: [
      {
        caughtBy: CAUGHT_BY,
        consequences: CONSEQUENCES,
        isHarmless: isInOrder,
        run: bench => {
          ring(bench, nothing);
        },
      },
    ],
  }),
];
