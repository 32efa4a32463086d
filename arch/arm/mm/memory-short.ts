import type { PgMemory, PgProt } from '../../../mm/pgprot';
import { AP } from '../regs/short-descriptor';
import type { ProcType } from './cpu-info';

/*
 * What the kernel's memory types and rights are in short descriptors.
 */

/** TEX[2:0], C and B of a memory type. */
export interface TexCb {
  readonly tex: number;
  readonly c: boolean;
  readonly b: boolean;
}

const texCb = (tex: number, c: 0 | 1, b: 0 | 1): TexCb => ({ tex, c: c === 1, b: b === 1 });

/** ARMv5: C and B only; memory shared with devices is neither (strongly ordered). */
const V5_TYPES: Readonly<Record<PgMemory, TexCb>> = {
  cached: texCb(0, 1, 1),
  dmacoherent: texCb(0, 0, 0),
  writecombine: texCb(0, 0, 1),
  noncached: texCb(0, 0, 0),
  device: texCb(0, 0, 0),
  writethrough: texCb(0, 1, 0),
};

/** ARMv6, TEX without remap. */
const V6_TYPES: Readonly<Record<PgMemory, TexCb>> = {
  cached: texCb(0, 1, 1),
  dmacoherent: texCb(1, 0, 0),
  writecombine: texCb(1, 0, 0),
  noncached: texCb(0, 0, 0),
  device: texCb(0, 0, 1),
  writethrough: texCb(0, 1, 0),
};

/** ARMv7, with TEX remap: n = TEX[0], C, B chooses an entry of PRRR and NMRR. */
const V7_TYPES = (smp: boolean): Readonly<Record<PgMemory, TexCb>> => ({
  cached: smp ? texCb(1, 1, 1) : texCb(0, 1, 1),
  dmacoherent: texCb(0, 0, 1),
  writecombine: texCb(0, 0, 1),
  noncached: texCb(0, 0, 0),
  device: texCb(1, 0, 0),
  writethrough: texCb(0, 1, 0),
});

/** The memory types of a kind of processor; `smp`: it shares memory with others. */
export const typesOf = (type: ProcType, smp: boolean): Readonly<Record<PgMemory, TexCb>> => {
  if (type === 'v4wb') return V5_TYPES;
  return type === 'v6' ? V6_TYPES : V7_TYPES(smp);
};

/**
 * Rights as AP[1:0] and APX. ARMv5 has no read-only kernel page without user access; what user mode
 * may only read, the kernel may not write from ARMv7 on (cpu_v7_set_pte_ext, armv6_set_pte_ext).
 */
export const rightsOf = (
  { write, user }: PgProt,
  type: ProcType,
): { readonly ap: number; readonly apx: boolean } => {
  if (!user) return { ap: AP.privileged, apx: !write };
  if (write) return { ap: AP.full, apx: false };
  return type === 'v7' ? { ap: AP.full, apx: true } : { ap: AP.userRead, apx: false };
};
