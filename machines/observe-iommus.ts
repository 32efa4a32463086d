import type { RefusedAccess, StaleEntry, TableUse } from '../drivers/base/hw/iommu';
import { hex } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { CallSite } from '../drivers/base/types/call-site';
import type { KeptUse } from '../drivers/base/types/finding';
import type { DmaCall } from '../drivers/base/types/observer';
import type { RuleId } from '../drivers/base/types/rules';
import type { Iommus } from '../mm/iommu/core';
import { bufferOf } from '../mm/mappings';
import type { Mapping } from '../mm/mappings';
import type { Hardware } from './hardware';
import type { Observation } from './observation';

/**
 * Tells of transactions that an IOMMU of the machine leads where it should not, or refuses. That an
 * entry may be used which has changed has its evidence in this: it was used, and was not invalidated
 * since; where lazy mode lets the invalidation wait, that is a finding of its own. A transaction
 * that is refused is a driver's mistake like one that is not: where all of a
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

  hardware.onStaleEntry = stale => {
    const { master, address, write, older, newer } = stale;
    const led = older ?? newer ?? 0;
    const { mapping, buffer } = ownership.mappings.ownerOf(led, master);
    const ended = ownership.mappings.lastEnded(led, master)?.ended ?? null;
    const bytes = { start: led, size: 1 };
    const at = siteOf(master);
    const leads = leadsTo(stale);
    const isLazy = stale.what === 'translation' && iommus.awaitsFlush(master, address);
    const kept = isLazy ? null : keptUse(stale);
    findings.report({
      rule: isLazy ? 'lazy-invalidation' : 'stale-translation',
      device: mapping?.device ?? master,
      buffer,
      bytes,
      access: { kind: `${kindOf(write)} at ${hex(address)}, which ${leads}`, at },
      missing: isLazy
        ? null
        : { call: 'iommu flush', range: bytes, between: [ended?.site.at ?? null, at] },
      event: hardware.complex.pulse.now,
      verdict: null,
      ...(kept === null ? {} : { kept }),
    });
  };

  observation.onUnmapped = (call, site) => {
    reportFreedTable(hardware, observation, call, site);
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

/** An IOMMU's own mapping of one of its tables ends: it may not come there any more. */
const reportFreedTable = (
  hardware: Hardware,
  { ownership, findings }: Observation,
  { device, busAddress, size }: DmaCall,
  site: CallSite,
): void => {
  const iommu = hardware.iommus.find(({ model }) => model.name === device)?.model;
  const use = iommu?.walksInto(busAddress, size) ?? null;
  if (use === null) return;
  const { mapping, buffer } = ownership.mappings.ownerOf(busAddress, device);
  const bytes = { start: busAddress, size };
  const kept: KeptUse = { step: 'walk-kept', iommu: device, leads: busAddress, access: null };
  const what = `end of ${hex(size)} bytes of table at ${hex(busAddress)}`;
  findings.report({
    rule: 'table-freed-in-use',
    device,
    buffer,
    bytes,
    access: { kind: `${what}, which ${MAY_WALK[use]}`, at: site.at },
    missing: { call: MISSING[use], range: bytes, between: [mapping?.mappedAt.at ?? null, site.at] },
    event: hardware.complex.pulse.now,
    verdict: null,
    // What it is told to walk from needs no schedule: any transaction walks there.
    ...(use === 'root' ? {} : { kept }),
  });
};

/** How a walk may come to a table, and what would have kept it from that. */
const MAY_WALK = {
  root: 'the IOMMU is told to walk from',
  step: 'the IOMMU may still walk to',
} as const satisfies Record<TableUse, string>;
const MISSING = { root: 'detach', step: 'iommu flush' } as const satisfies Record<TableUse, string>;

/** What the IOMMU does to go by what it kept; null where nobody can say where that leads. */
const keptUse = ({ what, iommu, master, address, older }: StaleEntry): KeptUse | null => {
  if (what === 'configuration' && older === null) return null;
  const access = what === 'translation' ? { master, address } : null;
  return { step: 'use-kept', iommu, leads: older, access };
};

/** What is wrong with what was kept: memory says this by now. */
const leadsTo = ({ what, newer }: StaleEntry): string => {
  const by = what === 'translation' ? '' : what === 'walk' ? ' by its tables' : ' by its stream';
  return newer === null ? `leads nowhere any more${by}` : `now leads to ${hex(newer)}${by}`;
};

const kindOf = (write: boolean): string => (write ? 'device write' : 'device read');

const ruleOf = ({ cause }: RefusedAccess, mapping: Mapping | null): RuleId => {
  if (mapping?.ended?.by === 'unmap') return 'device-access-after-unmap';
  return mapping !== null && cause === 'permission'
    ? 'device-access-against-direction'
    : 'device-access-unmapped';
};
