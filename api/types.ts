/* `dmabench/types`: what both sides share: addresses, bits, errors, chance, data sheets of registers. */

export * from '../drivers/base/types/address';
export * from '../drivers/base/types/bits';
export { BenchError, InputError, UnmodelledError, invariant } from '../drivers/base/types/errors';
export { Random } from '../drivers/base/types/random';
export { bit, defineRegisters, field } from '../drivers/base/types/registers';
export type { RegisterSheet } from '../drivers/base/types/registers';
export { StateReader } from '../drivers/base/types/state';
export type { Stateful, StateValue } from '../drivers/base/types/state';
