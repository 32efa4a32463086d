import type { IommuHook } from '../../drivers/base/hw/dma-port';
import { TxResult } from '../../drivers/base/hw/mmio';
import { at } from '../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { OfPhandleArgs } from '../../drivers/of/phandle';
import type { DtNode } from '../../drivers/of/tree';
import type { DevicePlan } from '../plan-devices';
import type { DmaFacts } from '../quirks';
import { armSmmuKind } from './arm-smmu';
import { armSmmuV3Kind } from './arm-smmu-v3';
import { sysmmuKind } from './exynos';
import type { IommuKind } from './kind';
import { omapIommuKind } from './omap';
import { rockchipIommuKind } from './rockchip';
import { trivialIommuKind } from './trivial';

/*
 * IOMMUs that dmabench models, and which masters are behind them. All others translate nothing, as
 * in bypass.
 */

/** Each kind is one file here, and one entry. */
const KINDS: readonly IommuKind[] = [
  trivialIommuKind,
  armSmmuKind,
  armSmmuV3Kind,
  sysmmuKind,
  omapIommuKind,
  rockchipIommuKind,
];

/** The first string, of those that a node has, that a kind answers to, with the kind. */
const matchOf = (compatible: readonly string[]): { name: string; kind: IommuKind } | null => {
  for (const name of compatible) {
    const kind = KINDS.find(({ compatible: names }) => names.includes(name));
    if (kind !== undefined) return { name, kind };
  }
  return null;
};

/** The string by which the IOMMU of a node is modelled, or null. */
export const iommuMatch = (compatible: readonly string[]): string | null =>
  matchOf(compatible)?.name ?? null;

/** How the IOMMU of a node is modelled; null: it is not, or it is none. */
export const iommuKindOf = ({ compatible }: DtNode): IommuKind | null =>
  matchOf(compatible)?.kind ?? null;

/** Where transactions of a master go first. */
export interface Stream {
  /** The IOMMU's node. */
  readonly node: DtNode;
  readonly kind: IommuKind;
  /** As the tree writes it. */
  readonly cells: readonly number[];
}

/**
 * The streams of a master behind IOMMUs that are modelled, one for each specifier; empty for any
 * other. It has them also where the DMA API does not use the IOMMU, for a reason that is not the tree's. A master behind one IOMMU that is modelled and one that is not is none.
 */
export const streamsOf = ({ iommu }: DmaFacts): readonly Stream[] => {
  const specs = 'specs' in iommu ? iommu.specs : [];
  const streams = specs.flatMap(({ node, args: cells }: OfPhandleArgs): Stream[] => {
    const kind = iommuKindOf(node);
    return kind === null ? [] : [{ node, kind, cells }];
  });
  return streams.length === specs.length ? streams : [];
};

/** InputError for an IOMMU, or a master behind one, that its binding does not permit. */
export const checkIommus = (devices: readonly DevicePlan[]): void => {
  for (const { device, effective, function: pci } of devices) {
    iommuKindOf(device.node)?.check(device.node);
    checkStreams(effective);
    if (pci !== null) checkStreams(pci);
  }
};

const checkStreams = (facts: DmaFacts): void => {
  for (const { node, kind, cells } of streamsOf(facts)) {
    const expected = kind.checkStream(node, cells);
    if (expected === null) continue;
    const property = facts.kind === 'platform' ? 'iommus' : 'iommu-map';
    throw facts.node.problem(property, expected, cells.join(' '));
  }
};

/**
 * What the transactions of a master with these streams pass. One with several is taken to use them
 * page by page in turn, as a device does that spreads its data over several ports.
 */
export const hookOf = (hooks: readonly IommuHook[]): IommuHook | null => {
  const [only] = hooks;
  if (only === undefined || hooks.length === 1) return only ?? null;
  return {
    get mayStall(): boolean {
      return hooks.some(({ mayStall }) => mayStall === true);
    },
    translate: (address, write) => {
      const page = Math.floor(address / PAGE_SIZE);
      const answer = at(hooks, page % hooks.length).translate(address, write);
      const left = (page + 1) * PAGE_SIZE - address;
      return answer === null || answer.length <= left ? answer : { ...answer, length: left };
    },
  };
};

/** Where the IOMMUs of a master lead a transaction; null: nowhere. */
export interface LedAccess {
  readonly master: string;
  readonly address: number;
  readonly to: number | null;
}

/** As `hook`, with every answer told of but that a transaction waits. */
export const toldHook = (
  hook: IommuHook | null,
  master: string,
  tell: (access: LedAccess) => void,
): IommuHook | null =>
  hook === null
    ? null
    : {
        get mayStall(): boolean {
          return hook.mayStall === true;
        },
        translate: (address, write) => {
          const answer = hook.translate(address, write);
          const waits = (answer?.stall ?? null) !== null;
          const isLed = answer === null || answer.result === TxResult.Ok;
          if (!waits) tell({ master, address, to: isLed ? (answer?.address ?? address) : null });
          return answer;
        },
      };
