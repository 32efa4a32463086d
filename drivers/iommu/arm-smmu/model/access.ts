import type { IommuAnswer } from '../../../base/hw/dma-port';
import type { IommuAccess, RefusalCause } from '../../../base/hw/iommu';
import { TxResult } from '../../../base/hw/mmio';
import type { Stall } from '../../../base/hw/stall';

/** Longer than any transaction: what holds for a stream, whatever the address. */
export const ANY_LENGTH = 2 ** 52;
/** What a fault of one address holds for: the smallest page. */
export const LEAST_PAGE = 4096;

/** What becomes of a transaction. */
export interface Answer extends IommuAnswer {
  address: number;
  length: number;
  result: TxResult;
  stall: Stall | null;
}

/** The transaction under way of one stream, and its answer; each is used again for the next. */
export interface Transaction extends IommuAccess {
  address: number;
  write: boolean;
  readonly answer: Answer;
}

export const newTransaction = (iommu: string, master: string, stream: number): Transaction => ({
  iommu,
  master,
  stream,
  address: 0,
  write: false,
  answer: { address: 0, length: 0, result: TxResult.Ok, stall: null },
});

/** What it is, without its answer. */
export const accessOf = ({ iommu, master, stream, address, write }: IommuAccess): IommuAccess => ({
  iommu,
  master,
  stream,
  address,
  write,
});

/** It goes to this address, for so many bytes. */
export const pass = (answer: Answer, address: number, length: number): IommuAnswer => {
  answer.address = address;
  answer.length = length;
  answer.result = TxResult.Ok;
  answer.stall = null;
  return answer;
};

/** It ends with a bus error, as would so many bytes of it. */
export const refuse = (answer: Answer, length: number): IommuAnswer => {
  answer.address = 0;
  answer.length = length;
  answer.result = TxResult.Error;
  answer.stall = null;
  return answer;
};

/** It waits. */
export const hold = (answer: Answer, length: number, stall: Stall): IommuAnswer => {
  refuse(answer, length);
  answer.stall = stall;
  return answer;
};

/** Bytes from an address to the end of the smallest page. */
export const leftInPage = (address: number): number => LEAST_PAGE - (address % LEAST_PAGE);

/** Told of a transaction that was not let through. */
export type RefusalSink = (access: IommuAccess, cause: RefusalCause) => void;
