import type { GuestErrorSink } from '../../../base/hw/device';
import type { RegisterFile } from '../../../base/hw/register-file';
import { hex } from '../../../base/types/address';
import { UnmodelledError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { EVENTS } from '../regs';
import type { GC_LITE } from '../regs';
import { Recipient, TOKEN } from '../regs/command-stream';
import { GC_STATES } from '../regs/states';
import type { AddressSpaces } from './address-spaces';
import type { Handed } from './front-end';
import type { Lane, Pipeline } from './pipeline';
import type { Translation } from './translation';

export interface ControlStatesParts {
  readonly name: string;
  readonly version: 1 | 2;
  readonly regs: RegisterFile<typeof GC_LITE>;
  readonly spaces: AddressSpaces;
  readonly translation: Translation;
  readonly pipeline: Pipeline;
  readonly raise: (event: number) => void;
  readonly onGuestError: GuestErrorSink;
}

const { registers: STATES, layout: LAYOUT } = GC_STATES;

/** The states that the front end takes itself: see regs/states.ts. */
export class ControlStates implements Stateful {
  readonly #parts: ControlStatesParts;
  #isSafeAddressTaken = false;

  constructor(parts: ControlStatesParts) {
    this.#parts = parts;
  }

  /** Whatever no engine takes. */
  load(offset: number, value: number): Handed {
    const info = LAYOUT.instances[(LAYOUT.lookup[offset >>> LAYOUT.shift] ?? 0) - 1]?.info;
    if (info === undefined) return 'illegal';
    const { name, masks } = info;
    if ((value & masks.reserved) !== 0) return 'illegal';
    if ((value & masks.unimplemented) !== 0) {
      throw new UnmodelledError(`${this.#parts.name}: state ${name}`, hex(value));
    }
    return this.#load(offset, value);
  }

  reset(): void {
    this.#isSafeAddressTaken = false;
  }

  saveState(): StateValue {
    return { isSafeAddressTaken: this.#isSafeAddressTaken };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, `${this.#parts.name} states`);
    this.#isSafeAddressTaken = reader.boolean('isSafeAddressTaken');
  }

  #load(offset: number, value: number): Handed {
    const { spaces, translation, version, pipeline } = this.#parts;
    switch (offset) {
      case STATES.MMUV2_SAFE_ADDRESS.at:
        return version === 2 ? this.#safeAddress(value) : 'illegal';
      case STATES.MMUV2_CONFIGURATION.at:
        return version === 2 ? this.#configure(value) : 'illegal';
      case STATES.PIPE_SELECT.at:
        if (!pipeline.isIdle) this.#complain('PIPE_SELECT while an engine works');
        return 'taken';
      case STATES.EVENT.at:
        return this.#event(value);
      case STATES.SEMAPHORE_TOKEN.at:
        return this.#semaphore(value);
      case STATES.FLUSH_CACHE.at:
        return this.flushCaches(value);
      case STATES.FLUSH_MMU.at:
        if (version === 1 && value !== 0) translation.flushAll();
        return version === 1 ? 'taken' : 'illegal';
      case STATES.STALL_TOKEN.at:
        throw new UnmodelledError(`${this.#parts.name}: STALL_TOKEN`, hex(value));
      default:
        if (!pipeline.isIdle) this.#complain('X_AS_SELECT while an engine works');
        spaces.current = STATES.X_AS_SELECT.fields.INDEX.of(value);
        return version === 2 ? 'taken' : 'illegal';
    }
  }

  /** Each engine flushes after what it has to do now; `full`: one cannot take it yet, and none has. */
  flushCaches(caches: number): Handed {
    const { lanes } = this.#parts.pipeline;
    if (lanes.some(lane => lane.isFull)) return 'full';
    for (const lane of lanes) {
      const work = lane.unit.flush(caches);
      if (work !== null) lane.add(work);
    }
    return 'taken';
  }

  #safeAddress(value: number): Handed {
    if (this.#isSafeAddressTaken) this.#complain('MMUV2_SAFE_ADDRESS again after a reset');
    else this.#parts.regs.MMU_SAFE_ADDRESS.value = value;
    this.#isSafeAddressTaken = true;
    return 'taken';
  }

  #configure(value: number): Handed {
    const { regs, spaces, translation, name } = this.#parts;
    const { MODE, MODE_MASK, FLUSH, FLUSH_MASK, ADDRESS_MASK, ADDRESS } =
      STATES.MMUV2_CONFIGURATION.fields;
    if (MODE_MASK.of(value) === 0 && MODE.of(value) === 1) {
      throw new UnmodelledError(`${name}: MMUV2_CONFIGURATION.MODE`, 'a master table of 1 KiB');
    }
    if (ADDRESS_MASK.of(value) === 0) {
      spaces.setRoot(ADDRESS.at(ADDRESS.of(value)));
      regs.MMU_CONFIGURATION.value = ADDRESS.at(ADDRESS.of(value));
    }
    if (FLUSH_MASK.of(value) === 0 && FLUSH.of(value) === 1) translation.flush(spaces.current);
    return 'taken';
  }

  #event(value: number): Handed {
    const { EVENT_ID, FROM_FE, FROM_PE } = STATES.EVENT.fields;
    const { raise, pipeline } = this.#parts;
    const event = EVENT_ID.of(value);
    if (event >= EVENTS) return 'illegal';
    if (FROM_FE.of(value) === FROM_PE.of(value)) {
      this.#complain(`EVENT ${hex(value)}: from FE or from PE`);
    }
    if (FROM_PE.of(value) === 1) {
      pipeline.whenDone(() => {
        raise(event);
      });
    } else if (FROM_FE.of(value) === 1) raise(event);
    return 'taken';
  }

  #semaphore(value: number): Handed {
    const to = TOKEN.TO.of(value);
    const lanes = TOKEN.FROM.of(value) === Recipient.FE ? this.#lanesOf(to) : null;
    if (lanes === null) return 'illegal';
    this.#parts.pipeline.arm(to, lanes);
    return 'taken';
  }

  /** All engines are before the end of the pixel engine; the rasterizer alone waits for none of them. */
  #lanesOf(to: number): readonly Lane[] | null {
    const { lanes } = this.#parts.pipeline;
    if (to === Recipient.PE) return lanes;
    if (to === Recipient.DE) return lanes.filter(({ unit }) => unit.recipient === to);
    return to === Recipient.RA ? [] : null;
  }

  #complain(text: string): void {
    this.#parts.onGuestError(`${this.#parts.name}: ${text}`);
  }
}
