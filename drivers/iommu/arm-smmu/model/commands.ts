import type { RegisterFile, WriteHook } from '../../../base/hw/register-file';
import { join64 } from '../../../base/types/bits';
import type { ARM_SMMU_CB } from '../regs';
import { BankType } from '../regs';
import { Scope, tagOf } from './invalidations';
import type { Invalidation } from './invalidations';
import type { BankSetup } from './regime';

/** What a context bank was told to do with the TLB. */
export type BankCommand =
  | { readonly kind: 'invalidate'; readonly what: Invalidation }
  | { readonly kind: 'sync'; readonly done: () => void };

type Registers = RegisterFile<typeof ARM_SMMU_CB>;

const PAGE = 4096;
/** Addresses of commands are held modulo this: above it all bits are copies of the highest. */
const ADDRESSES = 2 ** 48;
const UPPER_HALF = 2 ** 51;

/** What these registers do when their lower word is written. */
type CommandHooks = Readonly<
  Record<
    | 'TLBIVA'
    | 'TLBIVAA'
    | 'TLBIVAL'
    | 'TLBIVAAL'
    | 'TLBIASID'
    | 'TLBIALL'
    | 'TLBIIPAS2'
    | 'TLBIIPAS2L'
    | 'TLBSYNC',
    WriteHook
  >
>;

interface Parts {
  readonly name: string;
  readonly index: number;
  setup(): BankSetup;
  command(command: BankCommand): void;
  onGuestError(text: string): void;
}

/** Invalidation and its synchronisation, as a bank's registers ask for them. */
export const bankCommands = (regs: () => Registers, parts: Parts): CommandHooks => {
  const invalidate = (what: Invalidation): void => {
    parts.command({ kind: 'invalidate', what });
  };
  /** False, and a guest error, for a command of a stage that the bank does not have. */
  const isOf = (stage: 1 | 2, register: string): boolean => {
    const { type } = parts.setup();
    const isStage2 = type === BankType.Stage2;
    if (isStage2 === (stage === 2)) return true;
    parts.onGuestError(`${parts.name}: bank ${parts.index}: ${register} of stage ${stage}`);
    return false;
  };
  const byAddress =
    (register: 'TLBIVA' | 'TLBIVAA' | 'TLBIVAL' | 'TLBIVAAL', isLeaf: boolean): WriteHook =>
    () => {
      if (!isOf(1, register)) return;
      const low = regs()[register].value;
      const high = regs()[`${register}_HI`].value;
      const { vmid, is64 } = parts.setup();
      const asid = is64 ? high >>> 16 : low % 2 ** 8;
      const address = is64 ? addressOf(low, high) : low - (low % PAGE);
      const isOfAll = register === 'TLBIVAA' || register === 'TLBIVAAL';
      const scope = isOfAll ? Scope.AddressOfVmid : Scope.Address;
      invalidate({ scope, tag: tagOf(1, vmid, asid), address, isLeaf });
    };
  const byIpa =
    (register: 'TLBIIPAS2' | 'TLBIIPAS2L', isLeaf: boolean): WriteHook =>
    () => {
      if (!isOf(2, register)) return;
      const address =
        join64(regs()[register].value, regs()[`${register}_HI`].value % 2 ** 4) * PAGE;
      const tag = tagOf(2, parts.setup().vmid, 0);
      invalidate({ scope: Scope.Address, tag, address, isLeaf });
    };
  return {
    TLBIVA: byAddress('TLBIVA', false),
    TLBIVAA: byAddress('TLBIVAA', false),
    TLBIVAL: byAddress('TLBIVAL', true),
    TLBIVAAL: byAddress('TLBIVAAL', true),
    TLBIIPAS2: byIpa('TLBIIPAS2', false),
    TLBIIPAS2L: byIpa('TLBIIPAS2L', true),
    TLBIASID: () => {
      if (!isOf(1, 'TLBIASID')) return;
      const tag = tagOf(1, parts.setup().vmid, regs().TLBIASID.ASID);
      invalidate({ scope: Scope.Asid, tag, address: 0, isLeaf: false });
    },
    TLBIALL: () => {
      const { type, vmid } = parts.setup();
      const tag = tagOf(type === BankType.Stage2 ? 2 : 1, vmid, 0);
      invalidate({ scope: Scope.StageOfVmid, tag, address: 0, isLeaf: false });
    },
    TLBSYNC: () => {
      regs().TLBSTATUS.SACTIVE = 1;
      const done = (): void => {
        regs().TLBSTATUS.SACTIVE = 0;
      };
      parts.command({ kind: 'sync', done });
    },
  };
};

/** Bits 55:12, sign-extended: the upper half as masters put it on the wire, modulo 2^52. */
const addressOf = (low: number, high: number): number => {
  const address = join64(low, high % 2 ** 4) * PAGE;
  return (high & 0x0800) !== 0 ? address + 2 * UPPER_HALF - ADDRESSES : address;
};
