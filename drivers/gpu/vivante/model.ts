import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaPort } from '../../base/hw/dma-port';
import type { EventQueue } from '../../base/hw/event-queue';
import type { StaleEntry } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import type { RegisterFile } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { restoreAll, restoreFloat64 } from '../../base/hw/state-arrays';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { AddressSpaces, Client } from './model/address-spaces';
import { ClientMemory } from './model/client-memory';
import { CommandFetch } from './model/command-fetch';
import { ControlStates } from './model/control-states';
import { Dispatch } from './model/dispatch';
import { createEngines } from './model/engines';
import { FaultQueue } from './model/fault-queue';
import { FrontEnd } from './model/front-end';
import { Interrupts } from './model/interrupts';
import { Lane, Pipeline } from './model/pipeline';
import { gcRegisters } from './model/registers';
import type { BehindRegisters } from './model/registers';
import { Translation } from './model/translation';
import type { KeptUse } from './model/translation';
import type { CacheMismatch, GpuUnit } from './model/unit';
import { GC_LITE, IdleBit } from './regs';
import { LINE_BYTES } from './regs/surface';

/** Where a cache inside a GPU and memory say different things. */
export interface GpuMismatch extends CacheMismatch {
  readonly master: string;
  /** Of the first byte; null: nowhere in memory. */
  readonly physical: number | null;
}

/** A line of memory that a cache inside a GPU may have other bytes of: it was written there. */
export interface HeldLine {
  readonly master: string;
  readonly cache: CacheMismatch['cache'];
  readonly physical: number;
  readonly size: number;
  /** From now on; false: not any more. */
  readonly isHeld: boolean;
}

/** What a GPU is wired to. */
export interface VivanteGpuPorts {
  readonly name: string;
  /** Of its MMU. */
  readonly version: 1 | 2;
  readonly dma: DmaPort;
  readonly irq: IrqLine;
  readonly events: EventQueue;
  /**
   * All that may be kept inside is looked past, and what it might have been is told: on a checked machine,
   * and where what was found on one is replayed.
   */
  readonly looksPast: boolean;
  /** Translations that the MMU keeps, where it keeps any. */
  readonly tlbEntries: number;
  readonly onGuestError: GuestErrorSink;
  /** As other MMUs tell it; true: what was kept is used. */
  readonly onStale: (stale: StaleEntry) => boolean;
  readonly onMismatch: (mismatch: GpuMismatch) => void;
  readonly onHeld: (line: HeldLine) => void;
}

/** Index in STATUS and EXCEPTION_ADDR. */
const Mmu = { FE: 0, ENGINES: 1 } as const;
const ALL_CACHES = 0x7f;

/** GC-lite: the front end, the MMU and the engines of a Vivante GC, behind the registers of regs.ts. */
export class VivanteGpu extends Device {
  readonly reset: ResetNode;
  readonly #ports: VivanteGpuPorts;
  readonly #regs: RegisterFile<typeof GC_LITE>;
  readonly #translation: Translation;
  readonly #spaces: AddressSpaces;
  readonly #behindRegisters: BehindRegisters;
  readonly #interrupts: Interrupts;
  readonly #queue: FaultQueue;
  readonly #pipeline: Pipeline;
  readonly #frontEnd: FrontEnd;
  readonly #states: ControlStates;
  /** Where lines are that an engine's cache has written, by the GPU's address. */
  readonly #held = new Map<number, number>();

  constructor(ports: VivanteGpuPorts) {
    super(ports.name);
    this.#ports = ports;
    this.#regs = gcRegisters({
      version: ports.version,
      onGuestError: ports.onGuestError,
      behind: () => this.#behindRegisters,
    });
    this.#interrupts = new Interrupts({ ...this.#common(), irq: ports.irq });
    this.#queue = new FaultQueue({ ...this.#common(), port: ports.dma });
    this.#translation = new Translation({
      version: ports.version,
      port: ports.dma,
      isChecked: ports.looksPast,
      tlbEntries: ports.tlbEntries,
      onStale: use => this.#stale(use),
      rootOf: space => this.#spaces.rootOf(space),
    });
    this.#spaces = this.#makeSpaces();
    const commandMemory = this.#makeMemory(new Client('FE', Mmu.FE));
    const engineMemory = this.#makeMemory(new Client('engines', Mmu.ENGINES));
    const engines = createEngines({
      memory: engineMemory,
      isChecked: ports.looksPast,
      onMismatch: mismatch => {
        this.#mismatch(mismatch, mismatch.reader === 'FE' ? commandMemory : engineMemory);
      },
      onHeld: (cache, line, isHeld) => {
        this.#hold(cache, line, isHeld ? engineMemory.placeOf(line) : null);
      },
      onGuestError: ports.onGuestError,
    });
    this.#pipeline = this.#makePipeline(engines.units, engineMemory);
    this.#states = new ControlStates({
      ...this.#common(),
      version: ports.version,
      spaces: this.#spaces,
      translation: this.#translation,
      pipeline: this.#pipeline,
      raise: event => {
        this.#interrupts.event(event);
      },
    });
    this.#frontEnd = this.#makeFrontEnd(
      new CommandFetch({
        memory: commandMemory,
        port: ports.dma,
        looksPast: ports.looksPast,
        onMismatch: mismatch => {
          this.#mismatch(mismatch, commandMemory);
        },
        onRead: (address, length) => {
          engines.reads('FE', address, length);
        },
      }),
    );
    this.#behindRegisters = this.#makeBehindRegisters();
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      enter: () => {
        this.#stopAll();
        this.#regs.reset();
        this.#states.reset();
      },
      hold: () => {
        this.#interrupts.update();
      },
    });
  }

  /** BenchError while the front end runs or an engine works: what their timers will do cannot be saved. */
  saveState(): StateValue {
    invariant(this.#pipeline.isIdle, `${this.name}: a snapshot while an engine works`);
    return {
      registers: this.#regs.saveState(),
      frontEnd: this.#frontEnd.saveState(),
      states: this.#states.saveState(),
      current: this.#spaces.current,
      tables: this.#spaces.tables.slice(),
      translation: this.#translation.saveState(),
      units: this.#pipeline.lanes.map(({ unit }) => unit.saveState()),
    };
  }

  /** What was under way is given up. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    const { lanes } = this.#pipeline;
    reader.list('units', lanes.length);
    this.#stopAll();
    this.#regs.restoreState(reader.value('registers'));
    this.#frontEnd.restoreState(reader.value('frontEnd'));
    this.#states.restoreState(reader.value('states'));
    this.#spaces.current = reader.number('current');
    restoreFloat64(this.#spaces.tables, reader.numbers('tables'), this.name);
    this.#translation.restoreState(reader.value('translation'));
    restoreAll(
      lanes.map(({ unit }) => unit),
      reader,
      'units',
    );
    this.#interrupts.restore();
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, GC_LITE.size, this.#regs)];
  }

  #common(): {
    readonly name: string;
    readonly regs: RegisterFile<typeof GC_LITE>;
    readonly onGuestError: GuestErrorSink;
  } {
    return { name: this.name, regs: this.#regs, onGuestError: this.#ports.onGuestError };
  }

  #makeSpaces(): AddressSpaces {
    return new AddressSpaces({
      ...this.#common(),
      version: this.#ports.version,
      translation: this.#translation,
      queue: this.#queue,
      onException: (client, code, address) => {
        this.#interrupts.exception(client, code, address);
      },
      onIrq: () => {
        this.#interrupts.update();
      },
      onResume: () => {
        this.#pipeline.resume();
        this.#frontEnd.poke();
      },
      onFlushCaches: () => {
        if (this.#states.flushCaches(ALL_CACHES) === 'full') {
          this.#complain('X_AS.COMMAND: FlushMem while an engine can take no more work');
        }
      },
    });
  }

  #makeMemory(client: Client): ClientMemory {
    return new ClientMemory(
      {
        port: this.#ports.dma,
        spaces: this.#spaces,
        regs: this.#regs,
        onBusError: write => {
          this.#interrupts.busError(write);
        },
      },
      client,
    );
  }

  #makePipeline(units: readonly GpuUnit[], memory: ClientMemory): Pipeline {
    const lane = (unit: GpuUnit): Lane =>
      new Lane({
        unit,
        client: new Client(unit.name, Mmu.ENGINES),
        port: this.#ports.dma,
        enter: client => {
          memory.client = client;
        },
        onChange: () => {
          this.#pipeline.changed();
          this.#frontEnd.poke();
        },
      });
    return new Pipeline(units.map(lane));
  }

  #makeBehindRegisters(): BehindRegisters {
    return {
      interrupts: this.#interrupts,
      queue: this.#queue,
      spaces: this.#spaces,
      frontEnd: this.#frontEnd,
      softReset: () => {
        this.#softReset();
      },
      idleState: () => this.#idleState(),
      clockControl: () => this.#clockControl(),
    };
  }

  #makeFrontEnd(fetch: CommandFetch): FrontEnd {
    const { name, events, onGuestError } = this.#ports;
    const dispatch = new Dispatch(this.#pipeline.lanes, this.#states);
    return new FrontEnd({
      name,
      events,
      fetch,
      onGuestError,
      load: (offset, value) => dispatch.load(offset, value),
      draw: draw => dispatch.draw(draw),
      takeSemaphore: to => this.#pipeline.take(to),
      isArmed: to => this.#pipeline.isArmed(to),
      raise: event => {
        this.#interrupts.event(event);
      },
    });
  }

  #clockControl(): number {
    const { IDLE_3D, IDLE_2D, IDLE_VG } = GC_LITE.registers.CLOCK_CONTROL.fields;
    const idle = (unit: number): number => (this.#idleState() >>> unit) & 1;
    const pipes = IDLE_3D.at(idle(IdleBit.PE)) + IDLE_2D.at(idle(IdleBit.DE)) + IDLE_VG.at(1);
    return (this.#regs.CLOCK_CONTROL.value | pipes) >>> 0;
  }

  #idleState(): number {
    let idle = 0x7fff_ffff;
    if (this.#frontEnd.isBusy) idle &= ~(1 << IdleBit.FE);
    for (const { unit, isIdle } of this.#pipeline.lanes) {
      if (!isIdle) idle &= ~(1 << unit.idleBit);
    }
    return idle;
  }

  #softReset(): void {
    const { value } = this.#regs.CLOCK_CONTROL;
    this.#stopAll();
    this.#regs.reset();
    this.#states.reset();
    this.#regs.CLOCK_CONTROL.value = value;
    this.#interrupts.update();
  }

  #stopAll(): void {
    this.#pipeline.reset();
    this.#frontEnd.reset();
    this.#spaces.reset();
    this.#queue.restart();
    this.#translation.clear();
  }

  #stale(use: KeptUse): boolean {
    const { name, onStale } = this.#ports;
    return onStale({ iommu: `${name} MMU`, master: name, stream: this.#spaces.current, ...use });
  }

  /** A line of an engine's is held where it was written last; null: it is not any more. */
  #hold(cache: CacheMismatch['cache'], line: number, physical: number | null): void {
    const { name, onHeld } = this.#ports;
    const held = this.#held.get(line);
    const of = { master: name, cache, size: LINE_BYTES };
    if (held !== undefined) onHeld({ ...of, physical: held, isHeld: false });
    this.#held.delete(line);
    if (physical === null) return;
    this.#held.set(line, physical);
    onHeld({ ...of, physical, isHeld: true });
  }

  #mismatch(mismatch: CacheMismatch, memory: ClientMemory): void {
    const { address } = mismatch;
    this.#ports.onMismatch({ ...mismatch, master: this.name, physical: memory.placeOf(address) });
  }

  #complain(text: string): void {
    this.#ports.onGuestError(`${this.name}: ${text}`);
  }
}
