import { hex } from '../../drivers/base/types/address';
import type { Quirk } from './quirk';
import { physOffset, rootIs } from './quirk';

const SUNXI_PLATFORMS = [
  'nextthing,gr8',
  ...[
    'sun4i-a10',
    'sun50i-a64',
    'sun50i-h5',
    'sun5i-a10s',
    'sun5i-a13',
    'sun6i-a31',
    'sun7i-a20',
    'sun8i-a23',
    'sun8i-a33',
    'sun8i-a83t',
    'sun8i-h3',
    'sun8i-r40',
    'sun8i-v3',
    'sun8i-v3s',
    'sun9i-a80',
  ].map(soc => `allwinner,${soc}`),
];

/** What masters the MBUS on Allwinner's SoCs, by function and the SoC that had it first. */
const SUNXI_MBUS_DEVICES = new Set(
  Object.entries({
    csi: ['sun50i-a64', 'sun6i-a31', 'sun8i-a83t', 'sun8i-h3', 'sun8i-v3s'],
    csi0: ['sun7i-a20'],
    csi1: ['sun4i-a10'],
    'display-backend': [
      'sun4i-a10',
      'sun5i-a13',
      'sun6i-a31',
      'sun7i-a20',
      'sun8i-a23',
      'sun8i-a33',
      'sun9i-a80',
    ],
    'display-engine': [
      'sun4i-a10',
      'sun5i-a10s',
      'sun5i-a13',
      'sun6i-a31',
      'sun6i-a31s',
      'sun7i-a20',
      'sun8i-a23',
      'sun8i-a33',
      'sun9i-a80',
    ],
    'display-frontend': ['sun4i-a10', 'sun7i-a20', 'sun8i-a23', 'sun8i-a33'],
    'video-engine': [
      'sun4i-a10',
      'sun50i-a64',
      'sun50i-h5',
      'sun5i-a13',
      'sun7i-a20',
      'sun8i-a33',
      'sun8i-h3',
    ],
  }).flatMap(([device, socs]) => socs.map(soc => `allwinner,${soc}-${device}`)),
);

const FOUR_GIB = 0x1_0000_0000n;

/**
 * Masters of the MBUS see RAM from bus address 0. A tree that says so has `interconnects` in the
 * device's node; for one that does not, there is this list. The map it gives brings no limit.
 */
export const sunxiMbusLegacy: Quirk = {
  name: 'sunxi-mbus-legacy',
  source: 'drivers/soc/sunxi/sunxi_mbus.c, sunxi_mbus_notifier()',
  applies: context => rootIs(context, SUNXI_PLATFORMS),
  device: (facts, node, context) => {
    const cpu = physOffset(context);
    const isListed = node.compatible.some(name => SUNXI_MBUS_DEVICES.has(name));
    if (!isListed || node.has('interconnects') || facts.dma.map !== null || cpu === 0n) {
      return facts;
    }
    return { ...facts, dma: { ...facts.dma, map: [{ dma: 0n, cpu, size: FOUR_GIB }] } };
  },
};

const KEYSTONE_HIGH_START = 0x8_0000_0000n;

/**
 * Where RAM lies above 32 GiB, devices that drivers make up without a node get the offset that
 * the tree's devices have from dma-ranges. Those with a node, and so all of a tree's, are left
 * alone.
 */
export const keystoneOffset: Quirk = {
  name: 'keystone-offset',
  source: 'arch/arm/mach-keystone/keystone.c, keystone_platform_notifier()',
  applies: context => {
    const soc = rootIs(context, ['ti,keystone', 'ti,k2hk', 'ti,k2e', 'ti,k2l', 'ti,k2g']);
    const start = physOffset(context);
    return soc === null || start < KEYSTONE_HIGH_START ? null : `${soc}, RAM at ${hex(start)}`;
  },
};
