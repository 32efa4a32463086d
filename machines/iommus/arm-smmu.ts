import { armSmmuDriver } from '../../drivers/iommu/arm-smmu/driver';
import { ArmSmmu } from '../../drivers/iommu/arm-smmu/model';
import { integrationOf } from '../../drivers/iommu/arm-smmu/model/integration';
import type { SmmuIntegration } from '../../drivers/iommu/arm-smmu/model/integration';
import { COMPATIBLE, MOST_BANKS } from '../../drivers/iommu/arm-smmu/regs';
import { ofNAddrCells, ofNSizeCells } from '../../drivers/of/bus';
import { ofIrqs } from '../../drivers/of/irq';
import { DeviceTree } from '../../drivers/of/tree';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

/** What the tree says of an SMMU. */
interface SmmuNode {
  readonly compatible: string;
  readonly interrupts: number;
  readonly globalInterrupts: number;
  readonly built: SmmuIntegration;
}

const known = new WeakMap<DtNode, SmmuNode>();

/** InputError for what its binding does not permit, or of which no SMMU can be made. */
const smmuOf = (node: DtNode): SmmuNode => {
  const found = known.get(node) ?? read(node);
  known.set(node, found);
  return found;
};

const read = (node: DtNode): SmmuNode => {
  const names: readonly string[] = COMPATIBLE;
  const compatible = node.compatible.find(name => names.includes(name)) ?? '';
  const globalInterrupts = node.u32('#global-interrupts');
  if (globalInterrupts === undefined) {
    throw node.problem('#global-interrupts', 'how many interrupts are of no context', 'nothing');
  }
  const interrupts = countInterrupts(node);
  const contextInterrupts = Math.min(interrupts - globalInterrupts, MOST_BANKS);
  if (contextInterrupts < 1) {
    const expected = `more than ${globalInterrupts} that are of no context`;
    throw node.problem('interrupts', expected, `${interrupts}`);
  }
  const windowSize = sizeOfReg(node);
  const coherentWalk = node.has('dma-coherent');
  const built = integrationOf({ compatible, windowSize, contextInterrupts, coherentWalk });
  if (built === null) {
    const expected = `a power of two of bytes, enough for ${contextInterrupts} context banks`;
    throw node.problem('reg', expected, `${windowSize} bytes`);
  }
  return { compatible, interrupts: globalInterrupts + contextInterrupts, globalInterrupts, built };
};

const countInterrupts = (node: DtNode): number => {
  let root = node;
  while (root.parent !== null) root = root.parent;
  return ofIrqs(node, new DeviceTree(root, [], 0).phandles()).length;
};

/** Bytes of its first `reg` entry. */
const sizeOfReg = (node: DtNode): number => {
  const [address, size] = [ofNAddrCells(node), ofNSizeCells(node)];
  const cells = node.cells('reg')?.slice(address, address + size) ?? [];
  return cells.reduce((size, cell) => size * 2 ** 32 + cell, 0);
};

export const armSmmuKind: IommuKind = {
  compatible: COMPATIBLE,
  mayDefer: true,
  windows: node => {
    const { pages, pageSize } = smmuOf(node).built;
    return [2 * pages * pageSize];
  },
  interrupts: node => smmuOf(node).interrupts,
  check: smmuOf,
  checkStream: (node, cells) => {
    const [id, mask] = cells;
    const ids = 2 ** smmuOf(node).built.streamIdBits;
    const isRight = id !== undefined && id < ids && (mask ?? 0) < ids && cells.length <= 2;
    return isRight ? null : `a stream below ${ids} of ${node.path}, and a mask below it`;
  },
  makeModel: ({ node, irqs, ...ports }) => {
    const { built, globalInterrupts } = smmuOf(node);
    const globalIrq = globalInterrupts === 0 ? null : (irqs[0] ?? null);
    return new ArmSmmu({ ...ports, built, globalIrq, contextIrqs: irqs.slice(globalInterrupts) });
  },
  driver: (node, build) => {
    const { compatible, globalInterrupts } = smmuOf(node);
    const streamMatchMask = node.u32('stream-match-mask') ?? 0;
    return armSmmuDriver({ compatible, globalInterrupts, streamMatchMask, build });
  },
};
