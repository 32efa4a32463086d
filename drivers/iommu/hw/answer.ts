import type { IommuAnswer } from '../../base/hw/dma-port';
import { TxResult } from '../../base/hw/mmio';
import type { Stall } from '../../base/hw/stall';

/** An answer that is given again and again: it holds until the next one. */
export class ReusedAnswer implements IommuAnswer {
  address = 0;
  length = 1;
  result: TxResult = TxResult.Ok;
  stall: Stall | null = null;

  /** It goes there, for so many bytes. */
  passes(address: number, length: number): IommuAnswer {
    this.address = address;
    this.length = length;
    this.result = TxResult.Ok;
    this.stall = null;
    return this;
  }

  /** A bus error for so many bytes. */
  refuses(length: number): IommuAnswer {
    this.address = 0;
    this.length = length;
    this.result = TxResult.Error;
    this.stall = null;
    return this;
  }

  /** It waits, so many bytes of it. */
  waits(stall: Stall, length: number): IommuAnswer {
    this.address = 0;
    this.length = length;
    this.result = TxResult.Ok;
    this.stall = stall;
    return this;
  }
}
