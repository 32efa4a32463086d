/* `dmabench/plugin`: what `--load` takes. */

export { definePlugin } from '../tools/plugin/plugin';
export type { Plugin } from '../tools/plugin/plugin';
export type { DevicePorts, ModelKind } from '../machines/devices';
