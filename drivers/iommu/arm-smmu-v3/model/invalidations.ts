import type { KeptCondition } from '../../hw/kept';
import { InputError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { StateValue } from '../../../base/types/state';
import { CommandError } from '../regs';
import { CFGI_ALL_RANGE, COMMAND, Opcode } from '../regs/commands';
import type { Words } from '../regs/words';
import { CONFIGURATION } from './configuration';
import { contextOf, stageOf, vmidOf } from './decode';

/** Invalidations that no CMD_SYNC has followed; the oldest of more takes effect by itself. */
const MOST_PENDING = 1024;

/** What an invalidation ends, and of what. */
export interface Invalidation {
  readonly of: 'configuration' | 'translations';
  /** Null: all. */
  readonly condition: KeptCondition | null;
  /** Steps of walks, and entries of the first level, stay. */
  readonly isLeaf: boolean;
}

const ALL_TRANSLATIONS: Invalidation = { of: 'translations', condition: null, isLeaf: false };
const ALL_CONFIGURATION: Invalidation = { of: 'configuration', condition: null, isLeaf: false };

const translations = (condition: KeptCondition, isLeaf = false): Invalidation => ({
  of: 'translations',
  condition,
  isLeaf,
});

const configuration = (condition: KeptCondition, isLeaf = false): Invalidation => ({
  of: 'configuration',
  condition,
  isLeaf,
});

/** Which StreamIDs are of [first, first + count). */
const isOf =
  (first: number, count: number, contexts: readonly number[]): KeptCondition =>
  ({ context, start, size }) =>
    contexts.includes(context) && start < first + count && first < start + size;

const { l1, ste, cd } = CONFIGURATION;

/** What a CFGI or TLBI command ends; null: it is none, or of what IDR0 says is not there. */
export const invalidationOf = (command: Words): Invalidation | null => {
  const sid = COMMAND.SID.of(command);
  const vmid = COMMAND.VMID.of(command);
  const asid = COMMAND.ASID.of(command);
  const isLeaf = COMMAND.LEAF.of(command) === 1;
  const address = COMMAND.ADDRESS.of(command);
  const atAddress: KeptCondition = ({ start, size }) => address >= start && address - start < size;
  const stage1 = contextOf(1, vmid, asid);
  const stage2 = contextOf(2, vmid, 0);
  switch (COMMAND.OP.of(command)) {
    case Opcode.CfgiSte:
      // CDs that were found through the STE go with it (4.3.1).
      return configuration(isOf(sid, 1, isLeaf ? [ste, cd] : [l1, ste, cd]), isLeaf);
    case Opcode.CfgiSteRange: {
      const range = COMMAND.RANGE.of(command);
      if (range === CFGI_ALL_RANGE) return ALL_CONFIGURATION;
      const count = 2 ** (range + 1);
      return configuration(isOf(sid - (sid % count), count, [l1, ste, cd]));
    }
    case Opcode.CfgiCd:
    case Opcode.CfgiCdAll:
      return configuration(isOf(sid, 1, [cd]));
    case Opcode.TlbiNhAll:
      return translations(({ context }) => vmidOf(context) === vmid && stageOf(context) === 1);
    case Opcode.TlbiNhAsid:
      return translations(({ context }) => context === stage1);
    case Opcode.TlbiNhVa:
      return translations(entry => entry.context === stage1 && atAddress(entry), isLeaf);
    case Opcode.TlbiNhVaa:
      return translations(
        entry => vmidOf(entry.context) === vmid && stageOf(entry.context) === 1 && atAddress(entry),
        isLeaf,
      );
    case Opcode.TlbiS12VmAll:
      return translations(({ context }) => vmidOf(context) === vmid);
    case Opcode.TlbiS2Ipa:
      return translations(entry => entry.context === stage2 && atAddress(entry), isLeaf);
    case Opcode.TlbiNsnhAll:
      return ALL_TRANSLATIONS;
    default:
      return null;
  }
};

/**
 * Invalidations that were commanded. When they take effect is up to the hardware, until a CMD_SYNC
 * that follows them has completed: here that is when they do, the latest that is right.
 */
export class Invalidations {
  readonly #apply: (invalidation: Invalidation) => void;
  /** Commands, oldest first. */
  #pending: Words[] = [];

  constructor(apply: (invalidation: Invalidation) => void) {
    this.#apply = apply;
  }

  /** Illegal: no invalidation that there is. */
  command(words: Words): CommandError {
    if (invalidationOf(words) === null) return CommandError.Illegal;
    this.#pending.push(words.slice());
    if (this.#pending.length > MOST_PENDING) {
      const [oldest] = this.#pending.splice(0, 1);
      if (oldest !== undefined) this.#carryOut(oldest);
    }
    return CommandError.None;
  }

  /** A CMD_SYNC: all that were commanded are carried out. */
  sync(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const words of pending) this.#carryOut(words);
  }

  /** Forgets what was commanded, as on reset. */
  clear(): void {
    this.#pending = [];
  }

  saveState(): StateValue {
    return { pending: Uint32Array.from(this.#pending.flatMap(words => [...words])) };
  }

  restoreState(state: StateValue): void {
    const value = new StateReader(state, 'invalidations').value('pending');
    if (!(value instanceof Uint32Array)) {
      throw new InputError({
        place: 'snapshot of invalidations',
        expected: 'words',
        found: 'none',
      });
    }
    const count = Math.floor(value.length / COMMAND.WORDS);
    this.#pending = Array.from({ length: count }, (_, i) =>
      value.slice(COMMAND.WORDS * i, COMMAND.WORDS * (i + 1)),
    );
  }

  #carryOut(words: Words): void {
    const invalidation = invalidationOf(words);
    if (invalidation !== null) this.#apply(invalidation);
  }
}
