import type { IommuAccess, RefusalCause } from '../../../base/hw/iommu';
import { ReusedAnswer } from '../../hw/answer';

/** Longer than any transaction: what holds for a stream, whatever the address. */
export const ANY_LENGTH = 2 ** 52;
/** What a fault of one address holds for: the smallest page. */
const LEAST_PAGE = 4096;

/** The transaction under way of one stream, and its answer; each is used again for the next. */
export interface Transaction extends IommuAccess {
  address: number;
  write: boolean;
  isPrivileged: boolean;
  readonly answer: ReusedAnswer;
}

export const newTransaction = (iommu: string, master: string, stream: number): Transaction => ({
  iommu,
  master,
  stream,
  address: 0,
  write: false,
  isPrivileged: false,
  answer: new ReusedAnswer(),
});

/** What it is, without its answer. */
export const accessOf = ({ iommu, master, stream, address, write }: IommuAccess): IommuAccess => ({
  iommu,
  master,
  stream,
  address,
  write,
});

/** Bytes from an address to the end of the smallest page. */
export const leftInPage = (address: number): number => LEAST_PAGE - (address % LEAST_PAGE);

/** Told of a transaction that was not let through. */
export type RefusalSink = (access: IommuAccess, cause: RefusalCause) => void;
