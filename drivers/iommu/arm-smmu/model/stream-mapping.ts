import type { RegisterFile } from '../../../base/hw/register-file';
import { PrivilegeConfig, StreamType } from '../regs';
import type { ARM_SMMU_GR0 } from '../regs';
import type { SmmuIntegration } from './integration';

/** Faults of the stream mapping, as bits of GFSR. */
export const GlobalFault = {
  InvalidContext: 'ICF',
  UnidentifiedStream: 'USF',
  StreamMatchConflict: 'SMCF',
  UnimplementedBank: 'UCBF',
  UnimplementedInterrupt: 'UCIF',
} as const;
export type GlobalFault = (typeof GlobalFault)[keyof typeof GlobalFault];

/** What a stream's transactions meet: a context bank by number, nothing at all, or a fault. */
export type Route =
  | { readonly kind: 'bank'; readonly bank: number; readonly isPrivileged: boolean }
  | { readonly kind: 'bypass' }
  | { readonly kind: 'fault'; readonly fault: GlobalFault };

export const BYPASS: Route = { kind: 'bypass' };

const faultOf = (fault: GlobalFault): Route => ({ kind: 'fault', fault });

/** Which context bank a stream has, by SMR and S2CR. */
export class StreamMapping {
  readonly #regs: RegisterFile<typeof ARM_SMMU_GR0>;
  readonly #built: SmmuIntegration;

  constructor(regs: RegisterFile<typeof ARM_SMMU_GR0>, built: SmmuIntegration) {
    this.#regs = regs;
    this.#built = built;
  }

  /**
   * What transactions of a stream meet, as the registers are now. A stream that matches several groups
   * is seen; hardware need not see it.
   */
  routeOf(stream: number): Route {
    const { CR0 } = this.#regs;
    if (CR0.CLIENTPD === 1) return BYPASS;
    const groups = this.#built.isMatching ? this.#matching(stream) : [stream];
    const [group] = groups;
    if (group === undefined) {
      return CR0.USFCFG === 1 ? faultOf(GlobalFault.UnidentifiedStream) : BYPASS;
    }
    if (groups.length > 1) {
      return CR0.SMCFCFG === 1 ? faultOf(GlobalFault.StreamMatchConflict) : BYPASS;
    }
    const { TYPE, CBNDX, PRIVCFG } = this.#regs.S2CR(group);
    if (TYPE === StreamType.Bypass) return BYPASS;
    if (TYPE !== StreamType.Translate) return faultOf(GlobalFault.InvalidContext);
    if (CBNDX >= this.#built.banks) return faultOf(GlobalFault.UnimplementedBank);
    // No master here says what its transactions are.
    const isPrivileged = PRIVCFG !== PrivilegeConfig.Unprivileged;
    return { kind: 'bank', bank: CBNDX, isPrivileged };
  }

  #matching(stream: number): number[] {
    const found: number[] = [];
    for (let group = 0; group < this.#built.groups; group++) {
      const { VALID, ID, MASK } = this.#regs.SMR(group);
      if (VALID === 1 && ((ID ^ stream) & ~MASK) === 0) found.push(group);
    }
    return found;
  }
}
