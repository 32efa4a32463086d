import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { Random } from '../../../drivers/base/types/random';
import { streamsOf } from '../../../machines/iommus';
import type { BoundMaster, Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import { bootPlan } from '../../run/job';
import type { IommuWay } from './report';

/** How the kernel is told of each way. */
const WAYS: Readonly<Record<IommuWay, MachinePlan['dmaMemory']>> = {
  direct: { iommuPassthrough: true },
  strict: { iommuStrict: true },
  lazy: { iommuStrict: false },
  list: { iommuStrict: true },
  batched: { iommuStrict: true },
};

/** One machine for each way; `isLazy` and the like are of the command line. */
export const bootWay = (board: string, plan: MachinePlan, way: IommuWay): Machine =>
  bootPlan(
    board,
    { ...plan, dmaMemory: { ...plan.dmaMemory, ...WAYS[way] } },
    {
      adversary: new LruAdversary(),
      random: new Random(1),
      timing: 'latest',
      streaming: ALL_STEPS,
    },
  );

/** The masters that the DMA API translates for. */
export const translated = ({ masters }: Machine): readonly BoundMaster[] =>
  masters.filter(
    ({ plan: { facts } }) => facts.iommu.kind === 'iommu' && streamsOf(facts).length > 0,
  );
