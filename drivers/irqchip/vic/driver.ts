import { LevelIrqChip, lowestBit } from '../../base/kernel/level-irq-chip';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { LINES, VECTORS, VIC } from './regs';

/** What Linux gives interrupts without a slot, to tell them from the slots' numbers. */
const DEFAULT_VECTOR = 32;
/** Reads of VECTADDR that end whatever a boot loader left unfinished. */
const PENDING_VECTORS = 19;

/** Driver of the PL190; the slots are enabled but the status register decides (irq-vic.c). */
export class VicDriver extends LevelIrqChip {
  readonly #regs: IoRegisters<typeof VIC>;

  /** `io`: Linux reads the status unordered and the rest ordered. */
  constructor({ name, io, base }: { name: string; io: RegisterIo; base: CpuAddr }) {
    super(name, LINES);
    this.#regs = ioRegisters(VIC, io, base);
  }

  /** Everything off, nothing pending (vic_disable, vic_clear_interrupts, vic_init2). */
  override init(): void {
    const regs = this.#regs;
    regs.INTSELECT.write(0);
    regs.INTENABLE.write(0);
    regs.INTENCLEAR.write(0xffff_ffff);
    regs.ITCR.write(0);
    regs.SOFTINTCLEAR.write(0xffff_ffff);
    regs.VECTADDR.write(0);
    for (let i = 0; i < PENDING_VECTORS; i++) regs.VECTADDR.write(regs.VECTADDR.read().value);
    for (let i = 0; i < VECTORS; i++) regs.SLOTCNTL(i).write({ ENABLE: 1, SOURCE: i });
    regs.DEFVECTADDR.write(DEFAULT_VECTOR);
  }

  protected override pending(): number | null {
    return lowestBit(this.#regs.IRQSTATUS.read().value);
  }

  protected override mask(hwirq: number): void {
    this.#regs.INTENCLEAR.write(2 ** hwirq);
  }

  protected override unmask(hwirq: number): void {
    this.#regs.INTENABLE.write(2 ** hwirq);
  }

  /** Also ends a software interrupt, in case it was the reason. */
  protected override maskAck(hwirq: number): void {
    this.mask(hwirq);
    this.#regs.SOFTINTCLEAR.write(2 ** hwirq);
  }
}
