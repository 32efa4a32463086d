import { hex } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { Hardware } from './hardware';
import type { Observation } from './observation';

/**
 * Tells of transactions that might go where an IOMMU's table led before: its evidence is that the
 * entry was used, has changed, and was not invalidated since.
 */
export const observeIommus = (hardware: Hardware, observation: Observation): void => {
  hardware.onStaleEntry = ({ master, address, write, older, newer }) => {
    const { ownership, findings } = observation;
    const { mapping, buffer } = ownership.mappings.ownerOf(older, master);
    const leads = newer === null ? 'leads nowhere any more' : `now leads to ${hex(newer)}`;
    const site = ownership.transfers.actingOf(master)?.site ?? callSite();
    findings.report({
      rule: 'stale-translation',
      device: mapping?.device ?? master,
      buffer,
      bytes: { start: older, size: 1 },
      access: {
        kind: `device ${write ? 'write' : 'read'} at ${hex(address)}, which ${leads}`,
        at: site.at,
      },
      missing: null,
      event: hardware.complex.pulse.now,
      verdict: null,
    });
  };
};
