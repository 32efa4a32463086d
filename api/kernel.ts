/* `dmabench/kernel`: what a driver has of the kernel, but for memory: see `dmabench/mm`. */

export { probeDevice } from '../drivers/base/kernel/device';
export type { Barriers } from '../drivers/base/kernel/barriers';
export type { Device, Driver, DriverServices, Resource } from '../drivers/base/kernel/device';
export * from '../drivers/base/kernel/errno';
export type { KernelIo } from '../drivers/base/kernel/io';
export { IRQ_HANDLED, IRQ_NONE, IrqType } from '../drivers/base/kernel/irq';
export type { IrqHandler, IrqReturn } from '../drivers/base/kernel/irq';
export { KernelOops, bugOn } from '../drivers/base/kernel/oops';
export { ioRegisters } from '../drivers/base/kernel/registers';
export type { IoRegisters } from '../drivers/base/kernel/registers';
