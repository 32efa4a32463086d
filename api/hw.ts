/* `dmabench/hw`: what a model of a device is made of. */

export { Device } from '../drivers/base/hw/device';
export type { DeviceModel, GuestErrorSink } from '../drivers/base/hw/device';
export type { DmaPort, DmaTiming } from '../drivers/base/hw/dma-port';
export type { EventQueue, Timer } from '../drivers/base/hw/event-queue';
export type { IrqLine } from '../drivers/base/hw/irq';
export { MemoryRegion } from '../drivers/base/hw/memory-region';
export { TxResult, orResults } from '../drivers/base/hw/mmio';
export type { MmioHandler } from '../drivers/base/hw/mmio';
export { registerFile } from '../drivers/base/hw/register-file';
export type { RegisterFile, RegisterFileOptions } from '../drivers/base/hw/register-file';
export { NO_RESET, ResetNode } from '../drivers/base/hw/reset';
export type { ResetPhases } from '../drivers/base/hw/reset';
