import { Device } from '../../../../drivers/base/hw/device';
import type { GuestErrorSink } from '../../../../drivers/base/hw/device';
import type { EventQueue, Timer } from '../../../../drivers/base/hw/event-queue';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';
import type { Ram } from '../../../../drivers/base/hw/ram';
import { registerFile } from '../../../../drivers/base/hw/register-file';
import type { RegisterFile } from '../../../../drivers/base/hw/register-file';
import { NO_RESET, ResetNode } from '../../../../drivers/base/hw/reset';
import { hex } from '../../../../drivers/base/types/address';
import { UnmodelledError, invariant } from '../../../../drivers/base/types/errors';
import { StateReader } from '../../../../drivers/base/types/state';
import type { StateValue } from '../../../../drivers/base/types/state';
import type { CacheGeometry } from '../line-cache';
import type { LineMaintenance, OuterLevel } from '../outer-level';
import { PA_LINE_MASK, PL310 } from './regs';

/** A way operation in the background takes this long. */
const WAY_NANOSECONDS = 2000;

type WayRegister = 'INV_WAY' | 'CLEAN_WAY' | 'CLEAN_INV_WAY';

const WAY_REGISTERS: Readonly<Record<LineMaintenance, WayRegister>> = {
  invalidate: 'INV_WAY',
  clean: 'CLEAN_WAY',
  'clean-invalidate': 'CLEAN_INV_WAY',
};

/** AUX_CTRL after reset, with the geometry: 8 or 16 ways of 16 KiB to 512 KiB. */
const auxOf = ({ size, ways, line }: CacheGeometry): number => {
  const field = Math.log2(size / ways / 1024) - 3;
  const fits = (ways === 8 || ways === 16) && field >= 1 && field <= 6 && line === 32;
  invariant(fits, `a PL310 cannot have ${size} bytes in ${ways} ways of ${line}-byte lines`);
  const { ASSOCIATIVITY, WAY_SIZE } = PL310.registers.AUX_CTRL.fields;
  const others = PL310.registers.AUX_CTRL.reset & ~(ASSOCIATIVITY.mask | WAY_SIZE.mask);
  return (others | ASSOCIATIVITY.at(ways === 16 ? 1 : 0) | WAY_SIZE.at(field)) >>> 0;
};

/** CACHE_TYPE, which repeats what AUX_CTRL says of the geometry, for data and instructions. */
const typeOf = (aux: number): number => {
  const { AUX_CTRL, CACHE_TYPE } = PL310.registers;
  const associativity = AUX_CTRL.fields.ASSOCIATIVITY.of(aux);
  const waySize = AUX_CTRL.fields.WAY_SIZE.of(aux);
  const fields = CACHE_TYPE.fields;
  const type =
    fields.LOCKDOWN_FORMAT.at(fields.LOCKDOWN_FORMAT.of(CACHE_TYPE.reset)) |
    fields.DATA_ASSOCIATIVITY.at(associativity) |
    fields.DATA_WAY_SIZE.at(waySize) |
    fields.INSTRUCTION_ASSOCIATIVITY.at(associativity) |
    fields.INSTRUCTION_WAY_SIZE.at(waySize);
  return type >>> 0;
};

/**
 * The registers of a PL310 in front of the outer cache. Maintenance by physical address is
 * atomic; by way it runs in the background and its register reads as busy until it is done.
 */
export class Pl310 extends Device {
  readonly reset: ResetNode;
  readonly registers: RegisterFile<typeof PL310>;
  readonly #cache: OuterLevel;
  readonly #ram: Ram;
  readonly #events: EventQueue;
  readonly #timers = new Map<LineMaintenance, Timer>();

  constructor(ports: {
    readonly name: string;
    readonly cache: OuterLevel;
    readonly ram: Ram;
    readonly events: EventQueue;
    readonly onGuestError: GuestErrorSink;
  }) {
    super(ports.name);
    this.#cache = ports.cache;
    this.#ram = ports.ram;
    this.#events = ports.events;
    const aux = auxOf(ports.cache.geometry);
    this.registers = registerFile(PL310, {
      onGuestError: ports.onGuestError,
      resets: { AUX_CTRL: aux, CACHE_TYPE: typeOf(aux) },
      onWrite: {
        CTRL: () => {
          this.#follow();
        },
        AUX_CTRL: (written, previous) => {
          this.#checkAux(written, previous);
          this.#follow();
        },
        CACHE_SYNC: () => {
          this.#checkIdle('cache sync');
          this.#cache.drainAll();
        },
        INV_PA: address => {
          this.#line('invalidate', address);
        },
        CLEAN_PA: address => {
          this.#line('clean', address);
        },
        CLEAN_INV_PA: address => {
          this.#line('clean-invalidate', address);
        },
        INV_WAY: ways => {
          this.#startWays('invalidate', ways);
        },
        CLEAN_WAY: ways => {
          this.#startWays('clean', ways);
        },
        CLEAN_INV_WAY: ways => {
          this.#startWays('clean-invalidate', ways);
        },
      },
    });
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      enter: () => {
        this.#cancelWays();
        this.registers.reset();
      },
      hold: () => {
        this.#follow();
      },
    });
  }

  saveState(): StateValue {
    return { registers: this.registers.saveState() };
  }

  /** Way operations that were under way are not saved: a snapshot is taken when none is. */
  restoreState(state: StateValue): void {
    this.registers.restoreState(new StateReader(state, this.name).value('registers'));
    this.#follow();
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, PL310.size, this.registers)];
  }

  #follow(): void {
    const isOn = this.registers.CTRL.EN === 1;
    // A cache that is off is looked up no more, and what waits in its buffer would not be seen.
    if (!isOn) this.#cache.drainAll();
    this.#cache.enabled = isOn;
    this.#cache.ncHits = this.registers.AUX_CTRL.SHARED_OVERRIDE === 0;
  }

  /** The geometry was chosen when the chip was made; nothing may change while the cache is on. */
  #checkAux(written: number, previous: number): void {
    const { ASSOCIATIVITY, WAY_SIZE } = PL310.registers.AUX_CTRL.fields;
    const geometry = ASSOCIATIVITY.mask | WAY_SIZE.mask;
    if (((written ^ previous) & geometry) !== 0) {
      throw new UnmodelledError(`${this.name}.AUX_CTRL`, `another geometry: ${hex(written)}`);
    }
    if (this.registers.CTRL.EN === 1 && written !== previous) {
      throw new UnmodelledError(`${this.name}.AUX_CTRL`, 'a change while the cache is on');
    }
  }

  #line(operation: LineMaintenance, address: number): void {
    this.#checkIdle('maintenance by line');
    const word = this.#ram.wordOf((address & PA_LINE_MASK) >>> 0);
    if (word >= 0) this.#cache.maintainLine(operation, word);
  }

  /** Not modelled: maintenance while a way operation runs in the background. Linux waits for it. */
  #checkIdle(what: string): void {
    for (const [operation, timer] of this.#timers) {
      if (!timer.isPending) continue;
      throw new UnmodelledError(`${this.name}: ${what}`, `while ${operation} by way is running`);
    }
  }

  #startWays(operation: LineMaintenance, ways: number): void {
    this.#checkIdle(`${operation} by way`);
    const finish = (): void => {
      this.#cache.maintainWays(operation, ways);
      this.registers[WAY_REGISTERS[operation]].value = 0;
    };
    const timer = this.#events.after(WAY_NANOSECONDS, `${this.name} ${operation} by way`, finish);
    this.#timers.set(operation, timer);
  }

  #cancelWays(): void {
    for (const timer of this.#timers.values()) this.#events.cancel(timer);
    this.#timers.clear();
  }
}
