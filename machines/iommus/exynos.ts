import { at } from '../../drivers/base/types/arrays';
import { Sysmmu } from '../../drivers/iommu/exynos-sysmmu/model';
import { sysmmuDriver } from '../../drivers/iommu/exynos-sysmmu/driver';
import { COMPATIBLE, SYSMMU, sysmmuVersion } from '../../drivers/iommu/exynos-sysmmu/regs';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

/**
 * What a SYSMMU says of itself, which no tree does, by the SoC: _assumed_, but for 1.0 of the first,
 * and 5 of the 64-bit ones. The last entry is for all others.
 */
const VERSIONS: readonly (readonly [soc: string, version: number])[] = [
  ['samsung,exynos4210', sysmmuVersion(1, 0)],
  ['samsung,exynos4212', sysmmuVersion(2, 1)],
  ['samsung,exynos4412', sysmmuVersion(2, 1)],
  ['samsung,exynos5250', sysmmuVersion(3, 1)],
  ['samsung,exynos5420', sysmmuVersion(3, 2)],
  ['samsung,exynos5433', sysmmuVersion(5, 0)],
  ['samsung,exynos7', sysmmuVersion(5, 1)],
  ['', sysmmuVersion(3, 3)],
];

const PROPERTY = 'dmabench,sysmmu-version';

const rootOf = (node: DtNode): DtNode => (node.parent === null ? node : rootOf(node.parent));

/** As a board says, major and minor, or its SoC. InputError for a version that is not modelled. */
const versionOf = (node: DtNode): number => {
  const said = node.cells(PROPERTY);
  if (said !== undefined) {
    const [major = 0, minor = 0] = said;
    const isModelled = [1, 2, 3, 5].includes(major) && minor < 0x80;
    if (said.length === 2 && isModelled) return sysmmuVersion(major, minor);
    throw node.problem(PROPERTY, 'major 1, 2, 3 or 5, and minor', said.join(' '));
  }
  const { compatible } = rootOf(node);
  const [, version = 0] = VERSIONS.find(([soc]) => soc === '' || compatible.includes(soc)) ?? [];
  return version;
};

export const sysmmuKind: IommuKind = {
  compatible: COMPATIBLE,
  windows: () => [SYSMMU.size],
  interrupts: () => 1,
  check: versionOf,
  checkStream: (node, cells) => (cells.length === 0 ? null : `${node.path} alone`),
  makeModel: ({ node, name, memory, irqs, isChecked, tlbEntries, ...sinks }) =>
    new Sysmmu({
      name,
      memory,
      irq: at(irqs, 0),
      isChecked,
      tlbEntries,
      version: versionOf(node),
      onGuestError: sinks.onGuestError,
      onStale: sinks.onStale,
      onRefused: sinks.onRefused,
    }),
  driver: () => sysmmuDriver,
};
