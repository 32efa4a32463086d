import { CheckedComplex } from '../arch/arm/checked/complex';
import { hex } from '../drivers/base/types/address';
import { alignDown } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';
import type { AccessKind } from '../drivers/base/types/observer';
import type { GpuMismatch, HeldLine } from '../drivers/gpu/vivante/model';
import { LINE_BYTES } from '../drivers/gpu/vivante/regs/surface';
import type { Hardware } from './hardware';
import type { Observation } from './observation';

/** What of a CPU's accesses a cache inside a device makes wrong. */
const USES: readonly AccessKind[] = ['load', 'poll', 'store'];

/**
 * Tells of caches inside devices that may say other things than memory. That needs no witness: the
 * device keeps lines until it is told to flush them, or for some reason of its own.
 */
export const observeCaches = (hardware: Hardware, observation: Observation): void => {
  const { complex } = hardware;
  if (!(complex instanceof CheckedComplex)) return;
  const { ownership, findings } = observation;

  const report = (
    { master, cache }: Pick<GpuMismatch, 'master' | 'cache'>,
    kind: string,
    bytes: ByteRange,
    at: string | null,
  ): void => {
    const { mapping, buffer } = ownership.mappings.ownerOf(bytes.start, master);
    findings.report({
      rule: 'stale-device-cache',
      device: mapping?.device ?? master,
      buffer,
      bytes,
      access: { kind, at },
      missing: {
        call: `flush of the ${cache} cache`,
        range: bytes,
        between: [mapping?.mappedAt.at ?? null, at],
      },
      event: complex.pulse.now,
      verdict: null,
    });
  };

  /** By physical address. */
  const held = new Map<number, HeldLine>();

  hardware.cacheSinks = {
    onMismatch: mismatch => {
      const { master, physical, length } = mismatch;
      const bytes = { start: physical ?? 0, size: physical === null ? 0 : length };
      const at = (ownership.transfers.actingOf(master)?.site ?? callSite()).at;
      report(mismatch, kindOf(mismatch), bytes, at);
    },
    onHeld: line => {
      const { physical, size, isHeld } = line;
      if (isHeld === held.has(physical)) return;
      if (isHeld) {
        held.set(physical, line);
        complex.watch.watch(physical, size);
      } else {
        held.delete(physical);
        complex.watch.unwatch(physical, size);
      }
    },
  };

  observation.onCpuTouch = (access, address, size) => {
    if (held.size === 0 || !USES.includes(access)) return;
    for (let at = alignDown(address, LINE_BYTES); at < address + size; at += LINE_BYTES) {
      const line = held.get(at);
      if (line === undefined) continue;
      const { cache } = line;
      const kind = `CPU ${access}, of which the ${cache} cache may not have written back all yet`;
      report(line, kind, { start: address, size }, callSite().at);
    }
  };
};

/** `PE read at 0x1000, of which the texture cache may have an older copy`. */
const kindOf = ({ cache, what, reader, address }: GpuMismatch): string => {
  const may =
    what === 'stale'
      ? `of which the ${cache} cache may have an older copy`
      : `which the ${cache} cache may not have written back yet`;
  return `${reader} read at ${hex(address)}, ${may}`;
};
