import { hex } from '../../drivers/base/types/address';
import { GIB, MIB } from '../../drivers/base/types/bits';
import type { Quirk, QuirkContext } from './quirk';
import { physOffset, rootIs } from './quirk';

/**
 * Bytes of ZONE_DMA from the start of RAM, and the root's compatible strings that ask for it. No
 * row for BCM2711, which asks for 1 GiB: its cores are taken to run an arm64 kernel.
 */
const ZONES: readonly (readonly [number, string, readonly string[]])[] = [
  [2 * GIB, 'mach-omap2', ['ti,omap5432', 'ti,omap5430', 'ti,omap5']],
  [
    2 * GIB,
    'mach-omap2',
    [
      ...['ti,dra762', 'ti,am5728', 'ti,am5726', 'ti,dra742', 'ti,dra7'],
      ...['ti,am5718', 'ti,am5716', 'ti,dra722', 'ti,dra718'],
    ],
  ],
  [2 * GIB, 'mach-keystone', ['ti,k2hk', 'ti,k2e', 'ti,k2l', 'ti,k2g', 'ti,keystone']],
  [4 * GIB, 'mach-highbank', ['calxeda,highbank', 'calxeda,ecx-2000']],
  [
    256 * MIB,
    'mach-versatile',
    ['eb', 'pb1176', 'pb11mp', 'pba8', 'pbx'].map(board => `arm,realview-${board}`),
  ],
];

const zoneOf = (context: QuirkContext): (typeof ZONES)[number] | null =>
  ZONES.find(([, , names]) => rootIs(context, names) !== null) ?? null;

/** ZONE_DMA as arm32's machine descriptions size it; all other machines have none. */
export const dmaZoneSize: Quirk = {
  name: 'dma-zone-size',
  source: 'arch/arm/mm/init.c, setup_dma_zone()',
  applies: context => {
    const zone = context.arch === 'arm32' ? zoneOf(context) : null;
    return zone === null ? null : `${zone[1]} asks for ${hex(zone[0])} bytes`;
  },
  machine: (facts, context) => {
    const zone = zoneOf(context);
    if (zone === null) return facts;
    return { ...facts, dmaZoneLimit: Number(physOffset(context)) + zone[0] - 1 };
  },
};
