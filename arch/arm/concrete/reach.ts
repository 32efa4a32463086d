import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { Mmu } from '../mmu/mmu';
import type { ReadTableWord, WalkResult } from '../mmu/walk';

const WORD = 4;

/**
 * Virtual addresses from which walks of a CPU lead to a physical page, in ascending order: what
 * its TLB may come to hold although nobody has used it. Every address is walked, with a stride of
 * what the entry at which a walk ended covers; `read` reads the tables.
 */
export function* pagesLeadingTo(mmu: Mmu, page: number, read: ReadTableWord): Generator<number> {
  const regions = mmu.isOn ? mmu.regions() : [];
  if (regions.length === 0) yield page;
  for (const { start, end, spans, entrySize } of regions) {
    for (let va = start; va < end;) {
      let reads = 0;
      const walked = walk(mmu, va, address => {
        reads++;
        return read(address);
      });
      const span = spans[Math.ceil((reads * WORD) / entrySize) - 1];
      // The root itself is out of reach: nothing is translated.
      if (span === undefined) break;
      if (walked?.ok === true) {
        const offset = page - (walked.entry.pa + (va - walked.entry.va));
        if (offset >= 0 && offset < Math.max(span, PAGE_SIZE)) yield va + offset;
      }
      va += span;
    }
  }
}

/** What is not modelled of tables is an error of the access that uses it, not of finding it. */
const walk = (mmu: Mmu, va: number, read: ReadTableWord): WalkResult | null => {
  try {
    return mmu.walk(va, read);
  } catch (error) {
    if (error instanceof UnmodelledError) return null;
    throw error;
  }
};
