import { LineStates } from '../../arch/arm/coherence/line-states';
import { checkerProfile, kindOf } from '../../arch/arm/coherence/profile';
import { HAS_LOST, StateSets } from '../../arch/arm/coherence/sets';
import { INNER_LIVE, OUTER_LIVE } from '../../arch/arm/coherence/spontaneous';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE } from '../../arch/arm/coherence/state';
import { EARLY, MAY_STALE } from '../../arch/arm/coherence/verdicts';
import { Cacheability } from '../../arch/arm/mmu/attributes';
import type { SpinMachine } from './machine';
import { stepsLeft } from './scenario';
import type { LineOperation, Program, ScenarioStep } from './scenario';

const OPERATIONS: Readonly<Record<LineOperation, number>> = {
  clean: CLEAN,
  invalidate: INVALIDATE,
  'clean+invalidate': CLEAN_INVALIDATE,
};
const CPU = 0;
const WORD = 0xf;
const LIVE = INNER_LIVE | OUTER_LIVE;

/** The checker's answers about programs on one machine. */
export class CheckerJudge {
  readonly #sets: StateSets;
  readonly #lineBytes: number;
  readonly #isAllocating: boolean;

  constructor({ core, hasOuter }: SpinMachine) {
    const outer = hasOuter ? 'inclusive' : 'none';
    this.#sets = new StateSets(checkerProfile(core, { outer, aliases: 1 }));
    this.#lineBytes = core.l1d?.line ?? 32;
    this.#isAllocating = core.writeAllocate !== 'never';
  }

  /** Whether the last step of the program can go wrong without these steps. */
  canFail(program: Program, dropped: readonly number[]): boolean {
    const lines = new LineStates(this.#sets, this.#lineBytes, 1, LIVE);
    let verdict = 0;
    for (const step of stepsLeft(program, dropped)) verdict = this.#take(lines, step);
    return (verdict & (MAY_STALE | EARLY)) !== 0;
  }

  #access(lines: LineStates, mapping: 'cached' | 'uncached'): number {
    const { none, writeBack, writeBackAllocate } = Cacheability;
    const cached = this.#isAllocating ? writeBackAllocate : writeBack;
    const attribute = mapping === 'cached' ? cached : none;
    return lines.accessOf(kindOf(this.#sets.profile, attribute, attribute, false), 0);
  }

  /** Takes one step; for one that asks, bits of which any is a failure. */
  #take(lines: LineStates, step: ScenarioStep): number {
    const { barriers } = lines;
    switch (step.do) {
      case 'store':
        return lines.store(step.line, maskOf(step), 0, this.#access(lines, step.mapping), CPU);
      case 'load':
        return lines.load(step.line, maskOf(step), 0, this.#access(lines, step.mapping), CPU);
      case 'poll': {
        const access = this.#access(lines, step.mapping);
        lines.poll(step.line, maskOf(step), 0, access, CPU);
        lines.see(step.line, maskOf(step), 0, access, CPU);
        return 0;
      }
      case 'device read':
        return lines.deviceRead(step.line, maskOf(step), 0, step.snoops);
      case 'device write':
        return lines.deviceWrite(step.line, maskOf(step), 0, step.snoops);
      case 'device polls':
        lines.devicePoll(step.line, maskOf(step), 0, false);
        lines.deviceSaw(step.line, maskOf(step), 0, false);
        return 0;
      case 'maintain':
        return lines.maintain(step.line, OPERATIONS[step.op], 0, CPU);
      case 'maintain outer':
        // Its register is a device's.
        barriers.deviceStore(CPU);
        return lines.maintainOuter(step.line, OPERATIONS[step.op]);
      case 'map':
      case 'unmap':
        lines.map(step.line, step.do === 'map' ? LIVE : 0);
        return 0;
      case 'is kept': {
        const has = this.#sets.properties(lines.setOf(step.line, 4 * step.word));
        return (has & HAS_LOST) === 0 ? 0 : MAY_STALE;
      }
      default:
        this.#order(lines, step.do);
        return 0;
    }
  }

  #order({ barriers }: LineStates, what: 'dmb' | 'dsb' | 'outer sync' | 'doorbell'): void {
    if (what === 'dsb') {
      barriers.dsb(CPU);
    } else if (what === 'dmb') {
      barriers.orderStores(CPU);
      barriers.orderLoads(CPU);
    } else {
      barriers.deviceStore(CPU);
      if (what === 'outer sync') barriers.outerSync();
    }
  }
}

const maskOf = ({ word }: { readonly word: number }): number => WORD << (4 * word);
