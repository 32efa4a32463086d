import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { IrqLine } from '../../../drivers/base/hw/irq';
import { CopyEngine } from '../../../drivers/dma/copy-engine/model';
import { DmaBench } from '../../support/dma-bench';

export interface EngineBench {
  readonly bench: DmaBench;
  readonly guestErrors: string[];
  readonly irq: IrqLine;
  readonly model: CopyEngine;
}

/** A copy engine on a bench of its own. */
export const makeEngine = (timing: DmaTiming): EngineBench => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const irq = new IrqLine('irq');
  const model = new CopyEngine({
    name: 'engine',
    dma: bench.port({ timing }),
    irq,
    events: bench.events,
    onGuestError: text => guestErrors.push(text),
  });
  return { bench, guestErrors, irq, model };
};
