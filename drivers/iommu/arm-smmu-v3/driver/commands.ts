import { CFGI_ALL_RANGE, COMMAND, Opcode, SyncSignal } from '../regs/commands';
import type { Words } from '../regs/words';

/*
 * Commands as the driver writes them (arm_smmu_cmdq_build_cmd).
 */

const command = (opcode: number): Words => {
  const words = new Uint32Array(COMMAND.WORDS);
  COMMAND.OP.put(words, opcode);
  return words;
};

export const prefetchConfig = (sid: number): Words => {
  const words = command(Opcode.PrefetchConfig);
  COMMAND.SID.put(words, sid);
  return words;
};

export const cfgiSte = (sid: number): Words => {
  const words = command(Opcode.CfgiSte);
  COMMAND.SID.put(words, sid);
  COMMAND.LEAF.put(words, 1);
  return words;
};

export const cfgiAll = (): Words => {
  const words = command(Opcode.CfgiSteRange);
  COMMAND.RANGE.put(words, CFGI_ALL_RANGE);
  return words;
};

export const cfgiCd = (sid: number): Words => {
  const words = command(Opcode.CfgiCd);
  COMMAND.SID.put(words, sid);
  COMMAND.LEAF.put(words, 1);
  return words;
};

export const tlbiNsnhAll = (): Words => command(Opcode.TlbiNsnhAll);

export const tlbiAsid = (asid: number): Words => {
  const words = command(Opcode.TlbiNhAsid);
  COMMAND.ASID.put(words, asid);
  return words;
};

export const tlbiVmid = (vmid: number): Words => {
  const words = command(Opcode.TlbiS12VmAll);
  COMMAND.VMID.put(words, vmid);
  return words;
};

/** Of one address of an ASID; `leaf`: no table has changed. */
export const tlbiVa = (asid: number, address: number, leaf: boolean): Words => {
  const words = command(Opcode.TlbiNhVa);
  COMMAND.ASID.put(words, asid);
  COMMAND.LEAF.put(words, leaf ? 1 : 0);
  COMMAND.ADDRESS.put(words, address);
  return words;
};

export const tlbiIpa = (vmid: number, address: number, leaf: boolean): Words => {
  const words = command(Opcode.TlbiS2Ipa);
  COMMAND.VMID.put(words, vmid);
  COMMAND.LEAF.put(words, leaf ? 1 : 0);
  COMMAND.ADDRESS.put(words, address);
  return words;
};

/** A stalled transaction is translated again, or ends with an error. */
export const resume = (sid: number, tag: number, how: 'retry' | 'abort'): Words => {
  const words = command(Opcode.Resume);
  COMMAND.SID.put(words, sid);
  COMMAND.STAG.put(words, tag);
  if (how === 'retry') COMMAND.RESUME_AC.put(words, 1);
  else COMMAND.RESUME_AB.put(words, 1);
  return words;
};

/** Completes when all before it are carried out; writes 0 to `message` then, if that is not null. */
export const sync = (message: number | null): Words => {
  const words = command(Opcode.Sync);
  COMMAND.CS.put(words, message === null ? SyncSignal.Sev : SyncSignal.Irq);
  if (message !== null) COMMAND.MSIADDRESS.put(words, message);
  return words;
};
