import { InputError } from '../../drivers/base/types/errors';
import { readBytes } from '../../tools/board/files';
import { DEVICES, freePageRun } from './bench-machine';
import { pagesOf } from './traces';

/** What is longer would take minutes and fill the memory. */
const MOST_BYTES = 2 ** 30;

/**
 * A trace of the user's own: 32-bit little-endian references as traces.ts describes them.
 * InputError for a file that cannot be read, is no list of references, or names addresses that the
 * machine of the benchmarks has no RAM or no room for its page table at.
 */
export const readTrace = (file: string): Uint32Array => {
  const bytes = readBytes(file, MOST_BYTES);
  const wrong = (expected: string, found: string): InputError =>
    new InputError({ place: file, expected, found });
  const isWhole = bytes.length > 0 && bytes.length % 4 === 0;
  if (!isWhole) throw wrong('references of 4 bytes each', `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const trace = Uint32Array.from({ length: bytes.length / 4 }, (_, i) =>
    view.getUint32(4 * i, true),
  );
  const beyond = trace.findIndex(reference => reference >= DEVICES);
  if (beyond >= 0) {
    const found = `0x${(trace[beyond] ?? 0).toString(16)} in reference ${beyond}`;
    throw wrong(`addresses below 0x${DEVICES.toString(16)}`, found);
  }
  if (freePageRun(pagesOf(trace)) === null) {
    throw wrong('16 KiB of addresses that no reference touches', 'none');
  }
  return trace;
};
