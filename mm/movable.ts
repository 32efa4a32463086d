import type { Page } from '../drivers/base/kernel/dma-mapping';
import { KernelOops } from '../drivers/base/kernel/oops';

/** Who uses movable pages, and can use others instead (struct movable_operations). */
export interface MovableOwner {
  /**
   * Moves from a block of pages to another of the same size: stops using `from`, calls `copy`, and
   * uses `to` from then on. 0, or a negative errno, and then everything is as before.
   */
  migrate(from: Page, to: Page, copy: () => void): number;
}

interface Entry {
  readonly owner: MovableOwner;
  pins: number;
}

/** Blocks of pages that can be moved elsewhere, by their first page: who has them. */
export class MovablePages {
  readonly #entries = new Map<Page, Entry>();

  /** Says who has a block (__SetPageMovable). */
  setOwner(page: Page, owner: MovableOwner): void {
    this.#entries.set(page, { owner, pins: 0 });
  }

  /** Until it is unpinned the block stays where it is: somebody knows its address (pin_user_pages). */
  pin(page: Page): void {
    this.#entryOf(page).pins++;
  }

  unpin(page: Page): void {
    const entry = this.#entryOf(page);
    if (entry.pins === 0) throw new KernelOops(`page ${page} is not pinned`);
    entry.pins--;
  }

  /** Who can be asked to move the block; null: nobody, or it is pinned. */
  moverOf(page: Page): MovableOwner | null {
    const entry = this.#entries.get(page);
    return entry === undefined || entry.pins > 0 ? null : entry.owner;
  }

  /** Nobody has the block any more. */
  forget(page: Page): void {
    this.#entries.delete(page);
  }

  #entryOf(page: Page): Entry {
    const entry = this.#entries.get(page);
    if (entry === undefined) throw new KernelOops(`page ${page} is not a movable one`);
    return entry;
  }
}
