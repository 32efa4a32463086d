import type { CheckedComplex } from '../../../../arch/arm/checked/complex';
import { EARLY, MAY_LOSE, MAY_OVERWRITE, MAY_STALE } from '../../../../arch/arm/coherence/verdicts';
import type { HardwareObserver, Verdict } from '../../../../drivers/base/types/observer';

/** Bits that are about values: those of never-written bytes are not looked at here. */
const VALUES = MAY_STALE | MAY_LOSE | MAY_OVERWRITE | EARLY;

/** Writes down what a checked machine tells. */
export class Listener implements HardwareObserver {
  readonly verdicts: Verdict[] = [];
  /** `cpu0 load 0x…+4`, `device write 0x…+4`, `begins 1`: what was told beside verdicts. */
  readonly touches: string[] = [];
  /** How many uses of a translation that has been replaced were told. */
  stale = 0;

  constructor(complex: CheckedComplex) {
    complex.observer = this;
  }

  /** `load`, `device read`: the accesses that may have gone wrong since the last call. */
  take(): string[] {
    const wrong = this.verdicts.splice(0).filter(({ bits }) => (bits & VALUES) !== 0);
    return wrong.map(({ access }) => access);
  }

  verdict(verdict: Verdict): void {
    this.verdicts.push(verdict);
  }

  mismatch(): void {
    return;
  }

  staleTranslation(): void {
    this.stale++;
  }

  cpuTouches(_event: number, cpu: number, access: string, address: number, size: number): void {
    this.touches.push(`cpu${cpu} ${access} ${address.toString(16)}+${size}`);
  }

  deviceTouches(_: number, name: string, write: boolean, address: number, size: number): void {
    this.touches.push(`${name} ${write ? 'writes' : 'reads'} ${address.toString(16)}+${size}`);
  }

  transferBegins(name: string, transfer: number): void {
    this.touches.push(`${name} begins ${transfer}`);
  }

  transferActs(name: string, transfer: number): void {
    this.touches.push(`${name} acts ${transfer}`);
  }

  transferEnds(name: string, transfer: number): void {
    this.touches.push(`${name} ends ${transfer}`);
  }
}
