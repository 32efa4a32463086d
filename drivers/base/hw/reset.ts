import { invariant } from '../types/errors';

/**
 * What an object does when it is reset. *enter*: its own state only; no interrupt line, no other
 * object, no memory. *hold*: what the others may see of it (lines go low). *exit*: what needs
 * the others to be reset already.
 *
 * Two rules make one order right for every machine: a device that does DMA stops it in *enter*;
 * an IOMMU resets in *exit*, when no transfer is left that could fault.
 */
export interface ResetPhases {
  enter(): void;
  hold(): void;
  exit(): void;
}

const nothing = (): void => undefined;

/** The phases of an object that has nothing to do; spread it and give those it has. */
export const NO_RESET: ResetPhases = Object.freeze({
  enter: nothing,
  hold: nothing,
  exit: nothing,
});

/**
 * One object of the reset tree. Resets are counted, as QEMU's Resettable counts them: with
 * several sources of reset an object enters with the first and exits with the last.
 *
 * A phase runs in all objects before the next phase begins, in children before their parent.
 */
export class ResetNode {
  readonly name: string;
  readonly #phases: ResetPhases;
  readonly #children: ResetNode[];
  #count = 0;
  #holdIsDue = false;

  constructor(name: string, phases: ResetPhases, children: readonly ResetNode[] = []) {
    this.name = name;
    this.#phases = phases;
    this.#children = [...children];
  }

  get isInReset(): boolean {
    return this.#count > 0;
  }

  /** Adds a child while this node is not in reset. */
  addChild(child: ResetNode): void {
    invariant(!this.isInReset, `${this.name} is in reset and cannot take ${child.name}`);
    this.#children.push(child);
  }

  /** Puts the tree below this node into reset: enter everywhere, then hold everywhere. */
  assert(): void {
    this.#enter();
    this.#hold();
  }

  /** Ends one assert; with the last one, exit everywhere. */
  release(): void {
    invariant(this.isInReset, `${this.name} is released but was not in reset`);
    this.#exit();
  }

  /** Assert and release. */
  pulse(): void {
    this.assert();
    this.release();
  }

  #enter(): void {
    this.#count++;
    for (const child of this.#children) child.#enter();
    if (this.#count > 1) return;
    this.#holdIsDue = true;
    this.#phases.enter();
  }

  #hold(): void {
    for (const child of this.#children) child.#hold();
    if (!this.#holdIsDue) return;
    this.#holdIsDue = false;
    this.#phases.hold();
  }

  #exit(): void {
    for (const child of this.#children) child.#exit();
    this.#count--;
    if (this.#count === 0) this.#phases.exit();
  }
}
