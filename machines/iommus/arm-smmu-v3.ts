import type { IrqLine } from '../../drivers/base/hw/irq';
import { SmmuV3 } from '../../drivers/iommu/arm-smmu-v3/model';
import { ASSUMED_FEATURES } from '../../drivers/iommu/arm-smmu-v3/model/features';
import type { Features } from '../../drivers/iommu/arm-smmu-v3/model/features';
import { smmuV3Driver } from '../../drivers/iommu/arm-smmu-v3/driver';
import { COMPATIBLE, IRQ_NAMES, SMMU_V3 } from '../../drivers/iommu/arm-smmu-v3/regs';
import type { IrqName } from '../../drivers/iommu/arm-smmu-v3/regs';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

/** Properties of dmabench's own, for boards that have no chip: what no tree says of one that is. */
const STAGE = 'dmabench,stage';
const STREAM_ID_BITS = 'dmabench,stream-id-bits';
const MOST_STREAM_ID_BITS = 20;

/** What the SMMU of a node has. InputError for what none has. */
const featuresOf = (node: DtNode): Features => {
  const stage = node.u32(STAGE) ?? 1;
  const sidBits = node.u32(STREAM_ID_BITS) ?? ASSUMED_FEATURES.sidBits;
  if (stage !== 1 && stage !== 2) throw node.problem(STAGE, '1 or 2', `${stage}`);
  if (sidBits > MOST_STREAM_ID_BITS) {
    throw node.problem(STREAM_ID_BITS, `at most ${MOST_STREAM_ID_BITS}`, `${sidBits}`);
  }
  const coherent = node.has('dma-coherent');
  return { ...ASSUMED_FEATURES, coherent, sidBits, stage1: stage === 1 };
};

/** Names of its interrupts, in the order of `interrupts`. */
const irqNames = (node: DtNode): readonly string[] => node.strings('interrupt-names') ?? [];

const isIrqName = (name: string): name is IrqName => IRQ_NAMES.some(known => known === name);

/** The wires by their names. */
const namedIrqs = (
  node: DtNode,
  irqs: readonly IrqLine[],
): Readonly<Partial<Record<IrqName, IrqLine>>> => {
  const named: Partial<Record<IrqName, IrqLine>> = {};
  irqNames(node).forEach((name, i) => {
    const irq = irqs[i];
    if (irq !== undefined && isIrqName(name)) named[name] = irq;
  });
  return named;
};

/** All nodes of the tree that a node is in. */
const nodesOf = (node: DtNode): DtNode[] => {
  let root = node;
  while (root.parent !== null) root = root.parent;
  const found = [root];
  for (const each of found) found.push(...each.children.values());
  return found;
};

/** StreamIDs of the masters that say that their transactions may wait (dma-can-stall). */
const stallingStreams = (smmu: DtNode): ReadonlySet<number> => {
  const phandle = smmu.u32('phandle');
  const sids = new Set<number>();
  for (const node of nodesOf(smmu)) {
    if (!node.has('dma-can-stall')) continue;
    const cells = node.cells('iommus') ?? [];
    for (let i = 0; i + 1 < cells.length; i += 2) {
      const sid = cells[i + 1];
      if (cells[i] === phandle && sid !== undefined) sids.add(sid);
    }
  }
  return sids;
};

export const armSmmuV3Kind: IommuKind = {
  compatible: COMPATIBLE,
  mayDefer: true,
  windows: () => [SMMU_V3.size],
  interrupts: node => irqNames(node).length,
  check: node => {
    featuresOf(node);
    for (const name of irqNames(node)) {
      if (!isIrqName(name)) throw node.problem('interrupt-names', IRQ_NAMES.join(', '), name);
    }
  },
  checkStream: (node, [sid, ...others]) =>
    sid !== undefined && sid < 2 ** featuresOf(node).sidBits && others.length === 0
      ? null
      : `a StreamID below ${2 ** featuresOf(node).sidBits} of ${node.path}`,
  makeModel: ({ node, irqs, ...parts }) =>
    new SmmuV3({
      ...parts,
      irqs: namedIrqs(node, irqs),
      features: featuresOf(node),
    }),
  driver: node => {
    const stalling = stallingStreams(node);
    return smmuV3Driver({
      brokenPrefetch: node.has('hisilicon,broken-prefetch-cmd'),
      mayStall: sid => stalling.has(sid),
    });
  },
};
