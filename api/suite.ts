/* `dmabench/suite`: what suites are made of, and what shortens them. */

export { DriverBench } from '../tests/suites/driver-bench';
export { AbortCase, CaseContext, SkipCase } from '../tests/suites/suite';
export type { Case, Suite } from '../tests/suites/suite';
export {
  withBuffer,
  withDmaBuffer,
  withPage,
  withoutDataCache,
  withoutMmu,
  withoutSecondCpu,
} from '../tests/suites/support';
