import { KernelOops } from '../../../drivers/base/kernel/oops';
import { dmaAddr, offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { RuleId } from '../../../drivers/base/types/rules';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { Bidirectional, FromDevice, None, ToDevice } = DmaDirection;

/** Both sides see each other's writes at once. */
const snoops = ({ sees }: RuleBench): boolean => sees;

/** It looks itself whether a buffer ends as it was mapped. */
const isDmabounce = ({ bounce }: RuleBench): boolean => bounce === 'dmabounce';

/** What bytes can come to when both sides have them. */
const WRONG_BYTES: readonly RuleId[] = [
  ...(['stale-cpu-read', 'stale-device-read', 'lost-cpu-write', 'lost-device-write'] as const),
  ...(['dirty-line-over-device-data', 'refill-after-invalidate'] as const),
  ...(['missing-write-barrier', 'missing-completion', 'missing-read-barrier'] as const),
];

/** Rules 34 to 39: directions. */
export const DIRECTION_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 34,
    name: 'what_is_written_is_given_to_the_device_before_it_reads',
    right: bench => {
      bench.withMapping(ToDevice, (address, dma) => {
        bench.deviceFinds(dma, 0);
        dmaSyncSingleForCpu(bench.dev, dma, SIZE, ToDevice);
        bench.fill(address, 34);
        dmaSyncSingleForDevice(bench.dev, dma, SIZE, ToDevice);
        bench.deviceFinds(dma, 34);
        dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['cpu-access-to-device-buffer'],
        isHarmless: snoops,
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(ToDevice, (address, dma) => {
            bench.fill(address, 34);
            bench.device.checkPattern(dma, SIZE, 34);
            dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 35,
    name: 'what_is_mapped_to_the_device_is_not_written_by_it',
    wrong: [
      {
        caughtBy: ['device-access-against-direction'],
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(ToDevice, (_address, dma) => {
            bench.device.writePattern(dma, SIZE, 35);
            dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 36,
    name: 'what_the_device_wrote_is_given_to_the_cpu_before_it_reads',
    right: bench => {
      bench.withMapping(FromDevice, (address, dma) => {
        bench.deviceWrites(dma, 36);
        dmaSyncSingleForCpu(bench.dev, dma, SIZE, FromDevice);
        bench.cpuFinds(address, 36);
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['cpu-access-to-device-buffer'],
        isHarmless: snoops,
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(FromDevice, (address, dma) => {
            bench.deviceWrites(dma, 36);
            bench.kernel.cpu.load32(address);
            dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 37,
    name: 'what_the_device_is_to_write_is_not_written_by_the_cpu',
    wrong: [
      {
        caughtBy: ['cpu-access-to-device-buffer'],
        isHarmless: snoops,
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(FromDevice, (address, dma) => {
            bench.kernel.cpu.store32(address, 37);
            bench.deviceWrites(dma, 37);
            dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 38,
    name: 'both_ways_is_synced_before_and_after',
    right: bench => {
      bench.withMapping(Bidirectional, (address, dma) => {
        bench.deviceFinds(dma, 0);
        bench.deviceWrites(dma, 38);
        dmaSyncSingleForCpu(bench.dev, dma, SIZE, Bidirectional);
        bench.cpuFinds(address, 38);
        bench.fill(address, 39);
        dmaSyncSingleForDevice(bench.dev, dma, SIZE, Bidirectional);
        bench.deviceFinds(dma, 39);
        dmaUnmapSingle(bench.dev, dma, SIZE, Bidirectional);
      });
    },
    wrong: [
      {
        caughtBy: ['device-access-not-given'],
        isHarmless: snoops,
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(Bidirectional, (address, dma) => {
            dmaSyncSingleForCpu(bench.dev, dma, SIZE, Bidirectional);
            bench.fill(address, 38);
            bench.device.checkPattern(dma, SIZE, 38);
            dmaUnmapSingle(bench.dev, dma, SIZE, Bidirectional);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 39,
    name: 'no_direction_is_a_kernel_bug',
    right: bench => {
      bench.withPages(PAGE_SIZE, address => {
        let text = 'nothing';
        try {
          dmaMapSingle(bench.dev, address, SIZE, None);
        } catch (error) {
          if (!(error instanceof KernelOops)) throw error;
          text = error.message;
        }
        bench.t.ok(text.startsWith('kernel BUG'), `a kernel bug, not ${text}`);
      });
    },
  }),
];

/** Ends a mapping with other arguments than it was made with, and then as it should be. */
const unmapsAs = (
  bench: RuleBench,
  wrongly: (dma: ReturnType<typeof dmaMapSingle>) => void,
): void => {
  bench.withMapping(ToDevice, (_address, dma) => {
    wrongly(dma);
  });
};

/** Rules 40 to 49: who has a buffer, and for how long. */
export const OWNERSHIP_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 40,
    name: 'a_mapping_is_ended_with_what_it_was_made_with',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        stops: isDmabounce,
        consequences: WRONG_BYTES,
        run: bench => {
          unmapsAs(bench, dma => {
            dmaUnmapSingle(bench.dev, dma, SIZE / 2, ToDevice);
          });
        },
      },
      {
        caughtBy: ['dma-debug'],
        stops: isDmabounce,
        consequences: WRONG_BYTES,
        run: bench => {
          unmapsAs(bench, dma => {
            dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 41,
    name: 'every_mapping_is_unmapped',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          bench.withMapping(ToDevice, (_address, dma) => {
            bench.unbindHolding(dma);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 42,
    name: 'nothing_is_synced_that_only_the_device_touches',
    right: bench => {
      bench.withMapping(FromDevice, (address, dma) => {
        for (let round = 0; round < 3; round++) bench.deviceWrites(dma, 42 + round);
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
        bench.cpuFinds(address, 44);
      });
    },
  }),
  dmaRule({
    number: 44,
    name: 'a_part_of_a_mapping_is_synced_and_nothing_beyond',
    right: bench => {
      bench.withMapping(FromDevice, (address, dma) => {
        bench.deviceWrites(dma, 44);
        dmaSyncSingleForCpu(bench.dev, dma, SIZE / 2, FromDevice);
        bench.cpuFinds(address, 44, SIZE / 2);
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['dma-debug'],
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(FromDevice, (_address, dma) => {
            dmaSyncSingleForCpu(bench.dev, offsetBy(dma, SIZE / 2), SIZE, FromDevice);
            dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 45,
    name: 'what_the_cpu_only_reads_need_not_be_given_back',
    // There dmac_unmap_area does nothing: what the CPU has read once stays in its cache.
    notKept: ({ kernel, dev, bounce }) =>
      kernel.mm.info.type === 'v4wb' && !dev.dma.coherent && bounce === null
        ? 'stale-cpu-read'
        : null,
    right: bench => {
      bench.withMapping(FromDevice, (address, dma) => {
        for (let round = 0; round < 3; round++) {
          bench.deviceWrites(dma, 45 + round);
          dmaSyncSingleForCpu(bench.dev, dma, SIZE, FromDevice);
          bench.cpuFinds(address, 45 + round);
        }
        dmaUnmapSingle(bench.dev, dma, SIZE, FromDevice);
      });
    },
  }),
  dmaRule({
    number: 46,
    name: 'every_mapping_is_asked_whether_it_failed',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          bench.withPages(PAGE_SIZE, address => {
            bench.fill(address, 46);
            const dma = dmaMapSingle(bench.dev, address, SIZE, ToDevice);
            dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 47,
    name: 'address_0_is_an_address',
    right: ({ t, dev }) => {
      t.equal(dmaMappingError(dev, dmaAddr(0)), 0, 'dmaMappingError of address 0');
    },
  }),
  dmaRule({
    number: 48,
    name: 'what_was_mapped_before_a_failure_is_unmapped',
    right: bench => {
      const { dev, t } = bench;
      bench.withPages(PAGE_SIZE, address => {
        bench.fill(address, 48, PAGE_SIZE);
        const mapped = [0, 1, 2].map(n => bench.map(offsetBy(address, n * SIZE), SIZE, ToDevice));
        const { mask } = dev.dma;
        dev.dma.mask = 0xfff;
        const failed = dmaMapSingle(dev, offsetBy(address, 3 * SIZE), SIZE, ToDevice);
        if (dmaMappingError(dev, failed) === 0) mapped.push(failed);
        dev.dma.mask = mask;
        for (const dma of mapped.reverse()) dmaUnmapSingle(dev, dma, SIZE, ToDevice);
        t.ok(mapped.length >= 3, 'three mappings before the one that fails');
      });
    },
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          const { dev } = bench;
          bench.withPages(PAGE_SIZE, address => {
            bench.fill(address, 48);
            const first = bench.map(address, SIZE, ToDevice);
            const { mask } = dev.dma;
            dev.dma.mask = 0xfff;
            dmaMappingError(dev, dmaMapSingle(dev, address, SIZE, ToDevice));
            dev.dma.mask = mask;
            bench.unbindHolding(first);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 49,
    name: 'a_device_touches_nothing_that_was_unmapped',
    wrong: [
      {
        caughtBy: ['device-access-after-unmap'],
        consequences: WRONG_BYTES,
        run: bench => {
          bench.withMapping(ToDevice, (_address, dma) => {
            dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
            bench.device.checkPattern(dma, SIZE, 0);
          });
        },
      },
    ],
  }),
];
