import { hex } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { GpuMismatch } from '../drivers/gpu/vivante/model';
import type { Hardware } from './hardware';
import type { Observation } from './observation';

/**
 * Tells of caches inside devices that may say other things than memory. That needs no witness: the
 * device keeps lines until it is told to flush them, or for some reason of its own.
 */
export const observeCaches = (hardware: Hardware, observation: Observation): void => {
  const { ownership, findings } = observation;
  hardware.onCacheMismatch = mismatch => {
    const { master, physical, length } = mismatch;
    const bytes = { start: physical ?? 0, size: physical === null ? 0 : length };
    const { mapping, buffer } = ownership.mappings.ownerOf(bytes.start, master);
    const at = (ownership.transfers.actingOf(master)?.site ?? callSite()).at;
    findings.report({
      rule: 'stale-device-cache',
      device: mapping?.device ?? master,
      buffer,
      bytes,
      access: { kind: kindOf(mismatch), at },
      missing: {
        call: `flush of the ${mismatch.cache} cache`,
        range: bytes,
        between: [mapping?.mappedAt.at ?? null, at],
      },
      event: hardware.complex.pulse.now,
      verdict: null,
    });
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
