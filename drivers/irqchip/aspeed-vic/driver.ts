import { LevelIrqChip, lowestBit } from '../../base/kernel/level-irq-chip';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { AVIC, LINES, WORDS } from './regs';

/** Driver of the ASPEED VIC (cf. drivers/irqchip/irq-aspeed-vic.c). */
export class AspeedVicDriver extends LevelIrqChip {
  readonly #regs: IoRegisters<typeof AVIC>;
  /** By word: the inputs that latch an edge, as the hardware says. */
  #edgeSources: readonly number[] = [0, 0];

  /** `io`: ordered, but for the status words, which Linux reads unordered. */
  constructor({ name, io, base }: { name: string; io: RegisterIo; base: CpuAddr }) {
    super(name, LINES);
    this.#regs = ioRegisters(AVIC, io, base);
  }

  /** Everything disabled, no edge latched (vic_init_hw). */
  override init(): void {
    const regs = this.#regs;
    for (let word = 0; word < WORDS; word++) {
      regs.INT_ENABLE_CLR(word).write(0xffff_ffff);
      regs.INT_TRIGGER_CLR(word).write(0xffff_ffff);
      regs.INT_SELECT(word).write(0);
    }
    this.#edgeSources = [~regs.INT_SENSE_LO.read().value, ~regs.INT_SENSE_HI.read().value];
    for (let word = 0; word < WORDS; word++) regs.EDGE_CLR(word).write(0xffff_ffff);
  }

  protected override pending(): number | null {
    for (let word = 0; word < WORDS; word++) {
      const bit = lowestBit(this.#regs.IRQ_STATUS(word).read().value);
      if (bit !== null) return 32 * word + bit;
    }
    return null;
  }

  protected override mask(hwirq: number): void {
    this.#regs.INT_ENABLE_CLR(hwirq >>> 5).write(2 ** (hwirq & 31));
  }

  protected override unmask(hwirq: number): void {
    this.#regs.INT_ENABLE(hwirq >>> 5).write(2 ** (hwirq & 31));
  }

  protected override maskAck(hwirq: number): void {
    this.mask(hwirq);
    const isEdge = (((this.#edgeSources[hwirq >>> 5] ?? 0) >>> (hwirq & 31)) & 1) === 1;
    if (isEdge) this.#regs.EDGE_CLR(hwirq >>> 5).write(2 ** (hwirq & 31));
  }
}
