import { stubFence } from './fence';
import type { DmaFence, FenceTimelines } from './fence';
import { FenceArray } from './fence-array';
import { chainLinks, containedFence } from './fence-chain';

/*
 * What containers are made of, and one container out of many (drivers/dma-buf/dma-fence-unwrap.c of
 * 6.12).
 */

/** The fences in chains and arrays, two deep as they may be nested (dma_fence_unwrap_for_each). */
export function* unwrapFences(head: DmaFence | null): Generator<DmaFence, void> {
  for (const link of chainLinks(head)) {
    const fence = containedFence(link);
    if (fence instanceof FenceArray) yield* fence.fences;
    else yield fence;
  }
}

/**
 * One fence that is signalled after all of these: the latest of each context that is not signalled
 * yet, in one array; the fence itself if it is one only; one that is signalled already if it is
 * none, at the time of the last (dma_fence_unwrap_merge).
 */
export const mergeFences = (
  timelines: FenceTimelines,
  fences: readonly (DmaFence | null)[],
): DmaFence => {
  const latest = new Map<number, DmaFence>();
  let timestamp = 0;
  for (const head of fences) {
    for (const fence of unwrapFences(head)) {
      if (fence.isSignaled) {
        timestamp = Math.max(timestamp, fence.timestamp ?? 0);
        continue;
      }
      const other = latest.get(fence.context);
      if (other === undefined || fence.isLaterThan(other)) latest.set(fence.context, fence);
    }
  }
  const merged = [...latest.values()].sort((a, b) => a.context - b.context);
  const [only] = merged;
  if (only === undefined) return stubFence(timelines, timestamp);
  if (merged.length === 1) return only;
  return new FenceArray(merged, { context: timelines.allocContext(), seqno: 1 });
};
