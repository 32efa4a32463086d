import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { IrqLine } from '../../drivers/base/hw/irq';
import { TestMaster } from '../../drivers/misc/test-master/model';
import { DmaBench } from './dma-bench';

/** A test master on a bus without a CPU, with what it is wired to. */
export interface BenchedTestMaster {
  readonly bench: DmaBench;
  readonly guestErrors: string[];
  readonly irq: IrqLine;
  readonly model: TestMaster;
}

/** One that moves its data at this end of a transfer's window. */
export const makeTestMaster = (timing: DmaTiming): BenchedTestMaster => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const irq = new IrqLine('irq');
  const model = new TestMaster({
    name: 'master',
    dma: bench.port({ timing }),
    irq,
    events: bench.events,
    onGuestError: text => guestErrors.push(text),
  });
  return { bench, guestErrors, irq, model };
};
