import { EBUSY, EINVAL } from './errno';
import { bugOn, KernelOops } from './oops';

/** How a line says that it is asserted (include/linux/irq.h, IRQ_TYPE_*; the cells of a tree). */
export const IrqType = {
  None: 0,
  EdgeRising: 1,
  EdgeFalling: 2,
  EdgeBoth: 3,
  LevelHigh: 4,
  LevelLow: 8,
} as const;
export type IrqType = (typeof IrqType)[keyof typeof IrqType];

/** What a device tree's interrupt specifier means to its controller. */
export interface IrqSpecifier {
  readonly hwirq: number;
  readonly type: IrqType;
}

/** An interrupt controller as the kernel drives it (cf. struct irq_chip and irq_domain_ops). */
export interface IrqChip {
  readonly name: string;
  enable(hwirq: number): void;
  disable(hwirq: number): void;
  /** Claims the most urgent interrupt that is pending for this CPU; null if there is none. */
  ack(): number | null;
  /** Ends the handling of what ack returned. An interrupt disabled meanwhile stays disabled. */
  eoi(hwirq: number): void;
  /** 0, or -EINVAL for a type the hardware has not. */
  setType(hwirq: number, type: IrqType): number;
  /** 0, or -EINVAL for an interrupt or CPU that cannot be chosen. */
  setAffinity(hwirq: number, cpu: number): number;
  /** InputError for cells that name no interrupt of this controller. */
  translate(cells: readonly number[]): IrqSpecifier;
}

/** Kernel names: irqreturn_t. */
export const IRQ_NONE = 0;
export const IRQ_HANDLED = 1;
export type IrqReturn = typeof IRQ_NONE | typeof IRQ_HANDLED;

export type IrqHandler = (hwirq: number) => IrqReturn;

/** What requestIrq is told beside the handler (IRQF_ flags). */
export interface IrqFlags {
  /** All handlers of a line must say so (IRQF_SHARED). */
  readonly shared?: boolean;
  /** None takes the type of the line's mapping (IRQF_TRIGGER_*). */
  readonly type?: IrqType;
}

/** What /proc/interrupts and /proc/irq/N/spurious say of a line. */
export interface IrqStatistics {
  readonly count: number;
  /** Times that no handler cared. */
  readonly unhandled: number;
  /** The line was turned off because nobody ever cares. */
  readonly isStuck: boolean;
  readonly names: readonly string[];
}

interface IrqAction {
  readonly name: string;
  readonly handler: IrqHandler;
  readonly flags: IrqFlags;
}

/** State of one line (cf. struct irq_desc). */
interface IrqDesc {
  actions: readonly IrqAction[];
  /** As the tree that mapped the line has it (irqd_get_trigger_type). */
  type: IrqType;
  /** How often it was disabled and not enabled again. */
  depth: number;
  count: number;
  unhandled: number;
  /** Of the current window of STUCK_WINDOW interrupts. */
  windowCount: number;
  windowUnhandled: number;
  isStuck: boolean;
}

/** kernel/irq/spurious.c: 99,900 of 100,000 unhandled interrupts and the line is turned off. */
const STUCK_WINDOW = 100_000;
const STUCK_LIMIT = 99_900;

/** More than this without a pause is a device that its handler never quiets. */
const MAX_IN_A_ROW = 2 * STUCK_WINDOW;

/**
 * The kernel's interrupt core for one controller: who handles which line (cf. kernel/irq/).
 *
 * The time that note_interrupt allows between two unhandled interrupts does not count here: a
 * line is stuck by numbers alone.
 */
export class IrqDomain {
  readonly chip: IrqChip;
  /** Times the vector was entered and the controller had nothing for us. */
  spurious = 0;
  /** Interrupts of lines that nobody had requested; each such line is then disabled. */
  unexpected = 0;
  readonly #descs = new Map<number, IrqDesc>();

  constructor(chip: IrqChip) {
    this.chip = chip;
  }

  /**
   * Notes how a line is triggered, as the tree says (irq_create_fwspec_mapping); the controller is
   * told when the line is requested. 0, or -EINVAL if another device's entry says otherwise.
   */
  createMapping({ hwirq, type }: IrqSpecifier): number {
    const desc = this.#desc(hwirq);
    if (type === IrqType.None || type === desc.type) return 0;
    if (desc.type !== IrqType.None) return -EINVAL;
    desc.type = type;
    return 0;
  }

  /**
   * Adds a handler to a line, and enables the line for the first (request_irq). 0; -EBUSY if
   * the line is taken and not shared by all, or with another type; -EINVAL for a type that the
   * controller cannot do.
   */
  requestIrq(hwirq: number, name: string, handler: IrqHandler, flags: IrqFlags = {}): number {
    const desc = this.#desc(hwirq);
    const [first] = desc.actions;
    const asked = flags.type ?? IrqType.None;
    const type = asked === IrqType.None ? desc.type : asked;
    if (first !== undefined) {
      const allShare = first.flags.shared === true && flags.shared === true;
      if (!allShare || first.flags.type !== type) return -EBUSY;
    } else if (type !== IrqType.None && this.chip.setType(hwirq, type) !== 0) {
      return -EINVAL;
    }
    desc.actions = [...desc.actions, { name, handler, flags: { ...flags, type } }];
    if (first === undefined) {
      Object.assign(desc, { depth: 0, isStuck: false, windowCount: 0, windowUnhandled: 0 });
      this.chip.enable(hwirq);
    }
    return 0;
  }

  /** Removes a handler; the line is disabled with the last. Its name, or null: it was not there. */
  freeIrq(hwirq: number, handler: IrqHandler): string | null {
    const desc = this.#desc(hwirq);
    const action = desc.actions.find(candidate => candidate.handler === handler);
    if (action === undefined) return null;
    desc.actions = desc.actions.filter(other => other !== action);
    if (desc.actions.length === 0) this.chip.disable(hwirq);
    return action.name;
  }

  /** Disables a line; nests. */
  disableIrq(hwirq: number): void {
    if (this.#desc(hwirq).depth++ === 0) this.chip.disable(hwirq);
  }

  /** Undoes one disableIrq. KernelOops for one too many, of which Linux only warns. */
  enableIrq(hwirq: number): void {
    const desc = this.#desc(hwirq);
    bugOn(desc.depth === 0, `Unbalanced enable for IRQ ${hwirq} of ${this.chip.name}`);
    if (--desc.depth === 0) this.chip.enable(hwirq);
  }

  statistics(hwirq: number): IrqStatistics {
    const { actions, count, unhandled, isStuck } = this.#desc(hwirq);
    return { count, unhandled, isStuck, names: actions.map(action => action.name) };
  }

  /**
   * What the CPU's interrupt vector calls: handles whatever is pending and returns how many that
   * were. KernelOops if it never ends, where a real CPU would hang.
   */
  handleIrq(): number {
    let handled = 0;
    for (let hwirq = this.chip.ack(); hwirq !== null; hwirq = this.chip.ack()) {
      this.#handleOne(hwirq);
      this.chip.eoi(hwirq);
      if (++handled > MAX_IN_A_ROW) {
        const names = this.statistics(hwirq).names.join(', ');
        throw new KernelOops(`interrupt ${hwirq} (${names}) never stops: ${this.chip.name}`);
      }
    }
    if (handled === 0) this.spurious++;
    return handled;
  }

  #handleOne(hwirq: number): void {
    const desc = this.#desc(hwirq);
    desc.count++;
    if (desc.actions.length === 0) {
      this.unexpected++;
      this.chip.disable(hwirq);
      return;
    }
    let result: IrqReturn = IRQ_NONE;
    for (const { handler } of desc.actions) {
      if (handler(hwirq) === IRQ_HANDLED) result = IRQ_HANDLED;
    }
    this.#note(hwirq, desc, result);
  }

  /** cf. note_interrupt. */
  #note(hwirq: number, desc: IrqDesc, result: IrqReturn): void {
    if (result === IRQ_NONE) {
      desc.unhandled++;
      desc.windowUnhandled++;
    }
    if (++desc.windowCount < STUCK_WINDOW) return;
    if (desc.windowUnhandled > STUCK_LIMIT) {
      desc.isStuck = true;
      this.disableIrq(hwirq);
    }
    desc.windowCount = 0;
    desc.windowUnhandled = 0;
  }

  #desc(hwirq: number): IrqDesc {
    let desc = this.#descs.get(hwirq);
    if (desc === undefined) {
      desc = {
        actions: [],
        type: IrqType.None,
        depth: 0,
        count: 0,
        unhandled: 0,
        windowCount: 0,
        windowUnhandled: 0,
        isStuck: false,
      };
      this.#descs.set(hwirq, desc);
    }
    return desc;
  }
}

/**
 * Makes `child` a cascade: its interrupts arrive as one line of `parent`. What requestIrq says.
 */
export const chainIrq = (parent: IrqDomain, hwirq: number, child: IrqDomain): number =>
  parent.requestIrq(hwirq, child.chip.name, () => (child.handleIrq() > 0 ? IRQ_HANDLED : IRQ_NONE));
