import { PAGE_SIZE } from '../drivers/base/types/bits';
import type { Speaker } from './dma-debug-checks';
import { bucketOf } from './dma-debug-entries';
import type { DebugEntry } from './dma-debug-entries';
import { dir2name, hexOf, hexPhys, maperr2str, type2name } from './dma-debug-text';

/**
 * A live mapping in a line of debugfs' `dump` (dump_show), without the end of the line. `line`: the
 * number of its first cache line.
 */
export const dumpLine = (entry: DebugEntry, line: number, by: Speaker): string => {
  const { device, driver } = entry.made;
  const names = by.version === '6.1' ? `${device} ${driver}` : `${driver} ${device}`;
  return `${names} ${entryText(entry, line, by)}`;
};

/** The same in the kernel's log, where dev_info puts driver and device first in every version. */
export const dumpMessage = (entry: DebugEntry, line: number, by: Speaker): string =>
  `${entry.made.driver} ${entry.made.device}: ${entryText(entry, line, by)}`;

const entryText = ({ made, address, mapError }: DebugEntry, line: number, by: Speaker): string => {
  const { version, widths } = by;
  const memory =
    version === '6.1'
      ? `P=${address.toString(16)} N=${Math.floor(address / PAGE_SIZE).toString(16)}`
      : `P=${hexPhys(address, widths)}`;
  return [
    type2name(made.type, version),
    `idx ${bucketOf(made.busAddress)}`,
    memory,
    `D=${hexOf(made.busAddress, widths)}`,
    `L=${made.size.toString(16)}`,
    ...(version === '6.1' ? [] : [`cln=${hexPhys(line, widths)}`]),
    dir2name(made.direction),
    maperr2str(mapError),
    ...(version === 'newest' ? [`attrs=0x${made.attrs.toString(16)}`] : []),
  ].join(' ');
};
