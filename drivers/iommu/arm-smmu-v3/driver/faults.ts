import type { Device } from '../../../base/kernel/device';
import { ENOSYS } from '../../../base/kernel/errno';
import { dmaAddr, hex } from '../../../base/types/address';
import type { FaultHandler } from '../../../../mm/iommu/types';
import { EVENT, EventId } from '../regs/events';
import type { Words } from '../regs/words';
import type { CommandQueue } from './command-queue';
import { resume } from './commands';
import type { SmmuRegisters } from './registers';

/** Causes of faults that somebody may take care of. */
const CAUSES: Readonly<Partial<Record<number, string>>> = {
  [EventId.Translation]: 'translation fault',
  [EventId.AddressSize]: 'address size fault',
  [EventId.AccessFlag]: 'access flag fault',
  [EventId.Permission]: 'permission fault',
};

/** What GERROR says beside CMDQ_ERR (arm_smmu_gerror_handler). */
const WARNINGS = [
  ['MSI_GERROR_ABT_ERR', 'GERROR MSI write aborted'],
  ['MSI_EVENTQ_ABT_ERR', 'EVTQ MSI write aborted'],
  ['MSI_CMDQ_ABT_ERR', 'CMDQ MSI write aborted'],
] as const;

/** Tells of what the hardware reports: events, and errors of its own. */
export class FaultReporter {
  handler: FaultHandler = () => -ENOSYS;
  readonly #dev: Device;
  readonly #regs: SmmuRegisters;
  readonly #commands: CommandQueue;

  constructor(dev: Device, regs: SmmuRegisters, commands: CommandQueue) {
    this.#dev = dev;
    this.#regs = regs;
    this.#commands = commands;
  }

  /**
   * A record of the event queue: somebody takes care of it, or it is said. What waits for that is then
   * tried again, or ended (arm_smmu_handle_evt).
   */
  event(record: Words): void {
    const isHandled = this.#handle(record) === 0;
    if (!isHandled) this.#print(record);
    if (EVENT.STALL.of(record) === 0) return;
    const how = isHandled ? 'retry' : 'abort';
    this.#commands.issue(resume(EVENT.SID.of(record), EVENT.STAG.of(record), how));
  }

  /** True if there was an error. */
  globalError(): boolean {
    const { GERROR, GERRORN } = this.#regs;
    const active = GERROR.read();
    const known = GERRORN.read();
    const isActive = (
      name: (typeof WARNINGS)[number][0] | 'CMDQ_ERR' | 'EVENTQ_ABT_ERR',
    ): boolean => active[name] !== known[name];
    const { log } = this.#dev.services;
    const differing = (active.value ^ known.value) >>> 0;
    if (differing === 0) return false;
    const text = `unexpected global error reported (${hex(differing)}), this could be serious`;
    log.device('warn', this.#dev, text);
    for (const [name, warning] of WARNINGS) {
      if (isActive(name)) log.device('warn', this.#dev, warning);
    }
    if (isActive('EVENTQ_ABT_ERR')) {
      log.device('err', this.#dev, 'EVTQ write aborted -- events may have been lost');
    }
    if (isActive('CMDQ_ERR')) this.#commands.skipError();
    GERRORN.write(active.value);
    return true;
  }

  #handle(record: Words): number {
    const cause = CAUSES[EVENT.ID.of(record)];
    if (cause === undefined) return -ENOSYS;
    return this.handler({
      stream: EVENT.SID.of(record),
      address: dmaAddr(EVENT.INPUT.of(record)),
      write: EVENT.RNW.of(record) === 0,
      cause,
    });
  }

  #print(record: Words): void {
    const { log } = this.#dev.services;
    log.device('info', this.#dev, `event 0x${hexOf(EVENT.ID.of(record), 2)} received:`);
    for (let word = 0; word < EVENT.WORDS; word += 2) {
      const [low = 0, high = 0] = record.subarray(word, word + 2);
      log.device('info', this.#dev, `\t0x${hexOf(high, 8)}${hexOf(low, 8)}`);
    }
  }
}

const hexOf = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
