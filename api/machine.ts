/* `dmabench/machine`: a booted machine, as suites have it, and how to boot one without the command. */

export { LruAdversary } from '../arch/arm/adversary/lru';
export { RandomAdversary } from '../arch/arm/adversary/random';
export { ALL_STEPS } from '../arch/arm/mm/dma';
export { readDts } from '../drivers/of/dts';
export { readFdt } from '../drivers/of/fdt';
export type { DeviceTree } from '../drivers/of/tree';
export { bootMachine } from '../machines/boot';
export type { BootOptions } from '../machines/boot';
export type { DeviceModule } from '../machines/devices';
export type { Kernel } from '../machines/kernel';
export { boundBy } from '../machines/bound';
export type { BoundDevice, BoundMaster, Machine } from '../machines/machine';
export { planMachine } from '../machines/plan';
export type { MachinePlan, PlanOptions } from '../machines/plan';
