import { hex } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { RuleId } from '../drivers/base/types/rules';
import type { RefusedAccess } from '../drivers/iommu/trivial/model';
import { FaultCause } from '../drivers/iommu/trivial/regs';
import type { Iommus } from '../mm/iommu/core';
import { bufferOf } from '../mm/mappings';
import type { Mapping } from '../mm/mappings';
import type { Hardware } from './hardware';
import type { Observation } from './observation';

/**
 * Tells of transactions that an IOMMU of the machine leads where it should not, or refuses. That an
 * entry may be used which has changed has its evidence in this: it was used, and was not invalidated
 * since. A transaction that is refused is a driver's mistake like one that is not: where all of a
 * device's addresses are the DMA API's, nobody else can have meant it.
 */
export const observeIommus = (
  hardware: Hardware,
  iommus: Iommus,
  observation: Observation,
): void => {
  const { ownership, findings } = observation;
  const siteOf = (master: string): string | null =>
    (ownership.transfers.actingOf(master)?.site ?? callSite()).at;

  hardware.onStaleEntry = ({ master, address, write, older, newer }) => {
    const { mapping, buffer } = ownership.mappings.ownerOf(older, master);
    const leads = newer === null ? 'leads nowhere any more' : `now leads to ${hex(newer)}`;
    const ended = ownership.mappings.lastEnded(older, master)?.ended ?? null;
    const bytes = { start: older, size: 1 };
    const at = siteOf(master);
    findings.report({
      rule: 'stale-translation',
      device: mapping?.device ?? master,
      buffer,
      bytes,
      access: { kind: `${kindOf(write)} at ${hex(address)}, which ${leads}`, at },
      missing: { call: 'iommu flush', range: bytes, between: [ended?.site.at ?? null, at] },
      event: hardware.complex.pulse.now,
      verdict: null,
    });
  };

  hardware.onRefused = refused => {
    const { master, address, write } = refused;
    if (!iommus.isMappedByDmaApi(master)) return;
    const mapping = ownership.mappings.atBus(master, address);
    const at = siteOf(master);
    const bytes =
      mapping === null
        ? { start: 0, size: 0 }
        : { start: mapping.start + address - mapping.busAddress, size: 1 };
    findings.report({
      rule: ruleOf(refused, mapping),
      device: master,
      buffer: mapping && bufferOf(mapping),
      bytes,
      access: { kind: `${kindOf(write)} at ${hex(address)}, which the IOMMU refuses`, at },
      missing:
        mapping?.ended === undefined || mapping.ended === null
          ? null
          : { call: 'dmaMapSingle', range: bytes, between: [mapping.ended.site.at, at] },
      event: hardware.complex.pulse.now,
      verdict: null,
    });
  };
};

const kindOf = (write: boolean): string => (write ? 'device write' : 'device read');

const ruleOf = ({ cause }: RefusedAccess, mapping: Mapping | null): RuleId => {
  if (mapping?.ended?.by === 'unmap') return 'device-access-after-unmap';
  return mapping !== null && cause === FaultCause.Permission
    ? 'device-access-against-direction'
    : 'device-access-unmapped';
};
