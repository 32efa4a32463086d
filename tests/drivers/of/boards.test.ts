import { ofTranslateAddress } from '../../../drivers/of/address';
import { ofExternalCaches } from '../../../drivers/of/cache';
import { ofCpus } from '../../../drivers/of/cpu';
import type { DmaConfig, DmaDeviceKind } from '../../../drivers/of/dma';
import { ofDmaConfigure } from '../../../drivers/of/dma';
import { arm64ZoneLimits, ofDmaGetMaxCpuAddress } from '../../../drivers/of/dma-range';
import type { IommuConfig } from '../../../drivers/of/iommu';
import { ofIommuConfigure } from '../../../drivers/of/iommu';
import { ofIrqParse, ofIrqs } from '../../../drivers/of/irq';
import { ofMemory } from '../../../drivers/of/memory';
import type { OfDevice } from '../../../drivers/of/platform';
import { ofBusMasterHints, ofDevices } from '../../../drivers/of/platform';
import { ofReservedMem } from '../../../drivers/of/reserved-mem';
import type { DeviceTree } from '../../../drivers/of/tree';
import { onBoard } from '../../support/boards';
import { nodeAt } from '../../support/dt';

/*
 * What Linux 6.1 makes of real boards, by value.
 */

const hex = (value: bigint | null): string => (value === null ? '-' : value.toString(16));

const configure = (tree: DeviceTree, path: string, kind: DmaDeviceKind = 'platform'): DmaConfig => {
  const node = nodeAt(tree, path);
  const result = ofDmaConfigure(node, tree.phandles(), { kind, arch: 'arm64' });
  if (!result.ok) throw new Error(`${path}: ${result.problem.errno}`);
  return result.value;
};

/** Every device's configuration. */
const configureAll = (tree: DeviceTree): (DmaConfig & { readonly device: OfDevice })[] => {
  const phandles = tree.phandles();
  return ofDevices(tree).map(device => {
    const options = { kind: 'platform', arch: 'arm64' } as const;
    const result = ofDmaConfigure(device.node, phandles, options);
    if (!result.ok) throw new Error(`${device.node.path}: ${result.problem.errno}`);
    return { ...result.value, device };
  });
};

const map = ({ map: windows }: DmaConfig): string =>
  windows?.map(({ dma, cpu, size }) => `${hex(dma)}>${hex(cpu)}+${hex(size)}`).join(' ') ?? '-';

const isHidden = ({ provenance }: DmaConfig): boolean =>
  'reason' in provenance.map && provenance.map.reason === 'gap' && provenance.map.hidden !== null;

const show = (config: IommuConfig): string => {
  if (config.kind !== 'iommu') return config.reason;
  return config.specs.map(({ node, args }) => `${node.name}<${args.join(' ')}>`).join(' ');
};

/** Paths and specifiers of all devices behind an IOMMU. */
const behindIommus = (tree: DeviceTree): [string, string][] => {
  const phandles = tree.phandles();
  return ofDevices(tree)
    .map(({ node }) => [node.path, ofIommuConfigure(node, phandles)] as const)
    .filter(([, config]) => config.kind === 'iommu')
    .map(([path, config]) => [path, show(config)]);
};

onBoard(
  'armhf/bcm2835-rpi-b',
  'the limit is a bus address, the mask the power of two above',
  (t, tree) => {
    for (const config of configureAll(tree)) {
      t.like(config, { busDmaLimit: 0x5fff_ffffn, mask: 0x7fff_ffffn, coherent: false });
      t.is(map(config), '40000000>0+20000000');
    }
  },
);

onBoard('armhf/am572x-idk', 'the gap rule hides the window from most devices', (t, tree) => {
  const all = configureAll(tree);
  t.is(all.length, 312);
  t.is(all.filter(isHidden).length, 234);
  const found = all.filter(config => config.map !== null);
  t.is(found.length, 76);
  for (const config of found) {
    t.is(map(config), '80000000>80000000+80000000');
    t.is(config.busDmaLimit, 0xffff_ffffn);
  }
});

onBoard(
  'armhf/am572x-idk',
  'signal processors have two IOMMUs each, and CMA regions',
  (t, tree) => {
    t.deepEqual(behindIommus(tree), [
      ['/ocp/ipu@58820000', 'mmu@0<>'],
      ['/ocp/ipu@55020000', 'mmu@0<>'],
      ['/ocp/dsp@40800000', 'mmu@0<> mmu@0<>'],
      ['/ocp/dsp@41000000', 'mmu@0<> mmu@0<>'],
    ]);
    const { regions } = ofReservedMem(tree, ofMemory(tree).ram, { arch: 'arm32' });
    t.deepEqual(
      regions.map(({ base, size, kind }) => `${kind} ${hex(base)}+${hex(size)}`),
      [
        'cma 95800000+3800000',
        'cma 99000000+4000000',
        'cma 9d000000+2000000',
        'cma 9f000000+800000',
      ],
    );
  },
);

for (const [board, size, limit, mask] of [
  ['armhf/sun8i-r40-bananapi-m2-ultra', 0x8000_0000n, 0x7fff_ffffn, 0x7fff_ffffn],
  ['armhf/sun5i-a10s-olinuxino-micro', 0x2000_0000n, 0x1fff_ffffn, 0x1fff_ffffn],
  ['armhf/sun8i-h3-orangepi-pc', 0xc000_0000n, 0xbfff_ffffn, 0xffff_ffffn],
  ['arm64/sun50i-a64-bananapi-m64', 0xc000_0000n, 0xbfff_ffffn, 0xffff_ffffn],
] as const) {
  onBoard(board, 'what goes through the MBUS sees RAM at bus address 0', (t, tree) => {
    const found = configureAll(tree).filter(config => config.map !== null);
    t.true(found.length > 0);
    for (const config of found) {
      t.true(config.device.node.has('interconnects'));
      t.deepEqual(config.map, [{ dma: 0n, cpu: 0x4000_0000n, size }]);
      t.like(config, { busDmaLimit: limit, mask });
    }
  });
}

onBoard(
  'armhf/stm32mp157c-dk2',
  'three windows, whose limit knows nothing of the holes',
  (t, tree) => {
    const found = configureAll(tree).filter(config => config.map !== null);
    t.deepEqual(found.map(map), [
      '0>38000000+10000 10000000>10000000+60000 30000000>30000000+60000',
    ]);
    t.like(found[0], { busDmaLimit: 0x3005_ffffn, mask: 0x3fff_ffffn });
    const { regions } = ofReservedMem(tree, ofMemory(tree).ram, { arch: 'arm32' });
    const pools = regions.filter(({ kind }) => kind === 'coherent');
    t.is(pools.length, 6);
    t.deepEqual(
      ofBusMasterHints(nodeAt(tree, '/ahb/m4@10000000'), tree.phandles()).map(h => h.hint),
      ['memory-region', 'known'],
    );
  },
);

/** Every limit that occurs on a board, without those of no device. */
const LIMITS: readonly (readonly [string, readonly bigint[]])[] = [
  ['armhf/bcm2711-rpi-4-b', [0xffff_ffffn]],
  ['arm64/ac5-98dx35xx-rd', [0xffff_ffffn]],
  ['arm64/amd-overdrive-rev-b0', [0xff_ffff_ffffn]],
  ['arm64/apm-mustang', [0x3ff_ffff_ffffn]],
  ['arm64/fsl-ls1043a-rdb', [0xffff_ffff_ffffn, 0xff_ffff_ffffn]],
  ['arm64/fsl-lx2160a-qds', [0xffff_ffff_ffffn]],
  ['arm64/imx8mm-venice-gw7902', [0xffff_ffffn]],
  ['arm64/qrb5165-rb5', [0xf_ffff_ffffn]],
  ['arm64/sdm845-db845c', [0xf_ffff_ffffn]],
  ['arm64/hip07-d05', []],
  ['armhf/imx6q-sabresd', []],
];
for (const [board, limits] of LIMITS) {
  onBoard(board, 'has these limits and no others', (t, tree) => {
    const found = new Set(configureAll(tree).flatMap(({ busDmaLimit }) => busDmaLimit ?? []));
    t.deepEqual([...found].sort(), [...limits].sort());
  });
}

onBoard(
  'armhf/bcm2711-rpi-4-b',
  'a SoC, an SD host and a PCI bus with a window each',
  (t, tree) => {
    t.is(map(configure(tree, '/soc/dma@7e007000')), 'c0000000>0+40000000');
    t.is(map(configure(tree, '/emmc2bus/mmc@7e340000')), 'c0000000>0+40000000');
    t.is(map(configure(tree, '/scb/pcie@7d500000', 'pci-bridge')), '0>0+c0000000');
    const max = ofDmaGetMaxCpuAddress(tree.root, tree.phandles());
    t.is(max, 0x3fff_ffffn);
    const ram = { start: 0n, end: 0x1_0000_0000n };
    t.is(arm64ZoneLimits(ram, max).zoneDma, 0x4000_0000n);
  },
);

onBoard(
  'armhf/bcm2711-rpi-4-b',
  'the boot loader fills in RAM, and CMA lies below 1 GiB',
  (t, tree) => {
    t.is(ofMemory(tree).status, 'size-zero');
    const { regions } = ofReservedMem(tree, [{ base: 0n, size: 0x1_0000_0000n }], {
      arch: 'arm32',
    });
    t.like(regions.at(-1), { kind: 'cma', cmaDefault: true, dynamic: true, size: 0x400_0000n });
    t.is(regions.find(({ kind }) => kind === 'cma')?.base, 0x3c00_0000n);
  },
);

onBoard('arm64/apm-mustang', 'PCI functions are coherent and have two windows', (t, tree) => {
  const config = configure(tree, '/soc/pcie@1f2b0000', 'pci-bridge');
  t.true(config.coherent);
  t.is(map(config), '8000000000>8000000000+80000000 0>0+8000000000');
  t.like(config, { dmaStart: 0n, busDmaLimit: 0x80_7fff_ffffn, mask: 0xffff_ffffn });
});

onBoard(
  'arm64/juno-r1-scmi',
  'PCI functions are coherent, behind an IOMMU and have two windows',
  (t, tree) => {
    const bridge = nodeAt(tree, '/pcie@40000000');
    const config = configure(tree, '/pcie@40000000', 'pci-bridge');
    t.true(config.coherent);
    t.is(map(config), '80000000>80000000+80000000 800000000>800000000+200000000');
    const behind = ofIommuConfigure(bridge, tree.phandles(), { inputIds: [0x108] });
    t.is(show(behind), 'iommu@2b500000<0>', 'the mask hides all of the id');
    const clusters = ofCpus(tree, tree.phandles(), 'arm64').cpus.map(c => c.topology?.cluster);
    t.deepEqual(clusters, [0, 0, 1, 1, 1, 1]);
  },
);

onBoard('arm64/zynqmp-zcu102-rev1.0', 'a disabled IOMMU leaves its masters direct', (t, tree) => {
  const phandles = tree.phandles();
  const masters = ofDevices(tree).filter(({ node }) => node.has('iommus'));
  t.is(masters.length, 14);
  for (const { node } of masters) {
    t.like(ofIommuConfigure(node, phandles), { kind: 'direct', reason: 'disabled' });
  }
});

onBoard('armhf/rk3288-evb-rk808', 'the display and video masters behind IOMMUs', (t, tree) => {
  t.deepEqual(behindIommus(tree), [
    ['/vop@ff930000', 'iommu@ff930300<>'],
    ['/vop@ff940000', 'iommu@ff940300<>'],
    ['/video-codec@ff9a0000', 'iommu@ff9a0800<>'],
  ]);
});

onBoard(
  'armhf/exynos4412-odroidu3',
  'nine masters behind IOMMUs, the codec behind two',
  (t, tree) => {
    const masters = behindIommus(tree);
    t.is(masters.length, 9);
    t.deepEqual(
      masters.find(([path]) => path === '/soc/codec@13400000'),
      ['/soc/codec@13400000', 'sysmmu@13620000<> sysmmu@13630000<>'],
    );
  },
);

onBoard(
  'armhf/exynos4412-odroidu3',
  "pools without an address lie where the kernel's sort puts them",
  (t, tree) => {
    const { regions } = ofReservedMem(tree, ofMemory(tree).ram, { arch: 'arm32' });
    const pools = regions.map(({ node, base, kind }) => `${node.name} ${kind} ${hex(base)}`);
    t.true(pools.includes('region-mfc-right coherent bf700000'), pools.join());
    t.true(pools.includes('region-mfc-left coherent bd300000'), pools.join());
  },
);

onBoard('armhf/exynos4412-odroidu3', 'its outer cache has prefetch settings', (t, tree) => {
  const [pl310, ...more] = ofExternalCaches(tree);
  t.is(more.length, 0);
  t.is(pl310?.registers?.start, 0x1050_2000n);
  t.deepEqual(pl310?.control.get('arm,prefetch-offset')?.value, [7]);
  t.deepEqual(pl310?.control.get('prefetch-data')?.value, [1]);
});

onBoard('arm64/sdm845-db845c', 'thirty-one masters behind two IOMMUs', (t, tree) => {
  const phandles = tree.phandles();
  const bridges = ofDevices(tree).filter(({ node }) => node.has('iommu-map'));
  const functions = bridges.map(({ node }) =>
    show(ofIommuConfigure(node, phandles, { inputIds: [0x100] })),
  );
  t.deepEqual(functions, ['iommu@15000000<7185>', 'iommu@15000000<7169>']);
  t.is(behindIommus(tree).length + functions.length, 31);
});

onBoard(
  'armhf/ecx-2000',
  'the only 32-bit board whose tree says that DMA is coherent',
  (t, tree) => {
    const all = configureAll(tree);
    const coherent = all.filter(config => config.coherent);
    t.is(coherent.length, 3);
    for (const { device, provenance } of coherent) {
      t.deepEqual(provenance.coherent, { path: device.node.path, property: 'dma-coherent' });
    }
  },
);

onBoard(
  'armhf/armada-388-clearfog',
  "says nothing of coherency, which is the kernel's doing",
  (t, tree) => {
    t.true(configureAll(tree).every(({ coherent }) => !coherent));
    t.is(ofExternalCaches(tree)[0]?.control.has('arm,io-coherent'), false);
  },
);

onBoard(
  'armhf/stm32h750i-art-pi',
  'no processor in the tree, and one pool for all devices',
  (t, tree) => {
    t.deepEqual(ofCpus(tree, tree.phandles(), 'arm32').cpus, []);
    const { regions } = ofReservedMem(tree, ofMemory(tree).ram, { arch: 'arm32' });
    t.deepEqual(
      regions.map(({ kind, dmaDefault, size }) => [kind, dmaDefault, size]),
      [['coherent', true, 0x10_0000n]],
    );
  },
);

onBoard('arm64/hip07-d05', 'sixty-four processors in sixteen clusters', (t, tree) => {
  const { cpus } = ofCpus(tree, tree.phandles(), 'arm64');
  t.is(cpus.filter(({ usable }) => usable).length, 64);
  t.is(new Set(cpus.map(c => `${c.topology?.package}.${c.topology?.cluster}`)).size, 16);
  t.is(new Set(cpus.map(c => c.next[0]?.node)).size, 16);
});

onBoard('arm64/fvp-base-revc', 'PCI interrupts go through a map of 4 slots', (t, tree) => {
  const bus = nodeAt(tree, '/bus@8000000');
  t.true((bus.cells('interrupt-map')?.length ?? 0) > 400);
  const phandles = tree.phandles();
  const uart = ofDevices(tree).find(({ compatible }) => compatible.includes('arm,pl011'));
  const irq = uart === undefined ? undefined : ofIrqParse(uart.node, 0, phandles);
  t.like(irq, { ok: true, value: { args: [0, 5, 4] } });
});

onBoard('armhf/imx6q-sabresd', 'every device has all its interrupts', (t, tree) => {
  const phandles = tree.phandles();
  for (const { node } of ofDevices(tree)) {
    const count = ofIrqs(node, phandles).length;
    const cells = node.cells('interrupts')?.length ?? 0;
    if (!node.has('interrupts-extended')) t.is(count, cells / 3, node.path);
  }
});

onBoard(
  'armhf/vexpress-v2p-ca9',
  'its clock generator is reached through nested windows',
  (t, tree) => {
    const uart = ofDevices(tree).find(({ compatible }) => compatible.includes('arm,pl011'));
    t.is(uart?.resources[0]?.start, 0x1000_9000n);
    t.is(
      uart === undefined ? 0n : ofTranslateAddress(uart.node, uart.node.cells('reg') ?? []),
      0x1000_9000n,
    );
  },
);
