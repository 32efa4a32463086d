import type { Device } from '../../../base/kernel/device';
import { ETIMEDOUT } from '../../../base/kernel/errno';
import { SH } from '../../regs/lpae';
import { SMMU_V3 } from '../regs';
import type { CommandQueue } from './command-queue';
import { cfgiAll, tlbiNsnhAll } from './commands';
import type { EventQueue } from './event-queue';
import { pollUntil } from './registers';
import type { SmmuRegisters } from './registers';
import type { DriverStreamTable } from './stream-table';

/** What the driver has made for the hardware. */
export interface SmmuParts {
  readonly dev: Device;
  readonly regs: SmmuRegisters;
  readonly commands: CommandQueue;
  readonly events: EventQueue;
  readonly streams: DriverStreamTable;
}

/** Interrupts that somebody listens to. */
export interface IrqEnables {
  readonly eventq: boolean;
  readonly gerror: boolean;
}

/** CR1's encoding of write-back. */
const CACHE_WB = 1;

const { fields: CR0_FIELDS } = SMMU_V3.registers.CR0;
const { fields: IRQ_FIELDS } = SMMU_V3.registers.IRQ_CTRL;

/** Writes a register and waits until its acknowledgement says the same. */
const writeSynced = (
  register: { write(value: number): void },
  acknowledgement: { read(): { readonly value: number } },
  value: number,
): boolean => {
  register.write(value);
  return pollUntil(() => acknowledgement.read().value === value);
};

/** GBPA: what transactions meet while the SMMU is off. False if it does not take it. */
const abortAll = ({ GBPA }: SmmuRegisters): boolean => {
  const isReady = (): boolean => GBPA.read().UPDATE === 0;
  if (!pollUntil(isReady)) return false;
  GBPA.update({ ABORT: 1, UPDATE: 1 });
  return pollUntil(isReady);
};

/**
 * Brings the hardware into the state that the driver wants it in (arm_smmu_device_reset): 0 or
 * -ETIMEDOUT. `requestIrqs` answers which interrupts there are, or an errno.
 */
export const resetSmmu = (
  { dev, regs, commands, events, streams }: SmmuParts,
  requestIrqs: () => IrqEnables | number,
): number => {
  const { CR0, CR0ACK, CR1, CR2, IRQ_CTRL, IRQ_CTRLACK } = regs;
  const fail = (text: string): number => {
    dev.services.log.device('err', dev, text);
    return -ETIMEDOUT;
  };
  if (CR0.read().SMMUEN === 1) {
    dev.services.log.device('warn', dev, 'SMMU currently enabled! Resetting...');
    if (!abortAll(regs)) return fail('GBPA not responding to update');
  }
  if (!writeSynced(CR0, CR0ACK, 0)) return fail('failed to clear cr0');
  CR1.write({
    TABLE_SH: SH.inner,
    TABLE_OC: CACHE_WB,
    TABLE_IC: CACHE_WB,
    QUEUE_SH: SH.inner,
    QUEUE_OC: CACHE_WB,
    QUEUE_IC: CACHE_WB,
  });
  CR2.write({ PTM: 1, RECINVSID: 1 });
  streams.start(regs);
  commands.start();
  const enabled = CR0_FIELDS.CMDQEN.mask;
  if (!writeSynced(CR0, CR0ACK, enabled)) return fail('failed to enable command queue');
  commands.issueWithSync(cfgiAll());
  commands.issueWithSync(tlbiNsnhAll());
  events.start();
  const withEvents = enabled + CR0_FIELDS.EVENTQEN.mask;
  if (!writeSynced(CR0, CR0ACK, withEvents)) return fail('failed to enable event queue');
  if (!writeSynced(IRQ_CTRL, IRQ_CTRLACK, 0)) return fail('failed to disable irqs');
  const irqs = requestIrqs();
  if (typeof irqs === 'number') return irqs;
  const enables =
    (irqs.gerror ? IRQ_FIELDS.GERROR_IRQEN.mask : 0) +
    (irqs.eventq ? IRQ_FIELDS.EVENTQ_IRQEN.mask : 0);
  if (!writeSynced(IRQ_CTRL, IRQ_CTRLACK, enables)) {
    dev.services.log.device('warn', dev, 'failed to enable irqs');
  }
  const all = withEvents + CR0_FIELDS.SMMUEN.mask;
  return writeSynced(CR0, CR0ACK, all) ? 0 : fail('failed to enable SMMU interface');
};
