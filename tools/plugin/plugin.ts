import type { Driver } from '../../drivers/base/kernel/device';
import type { ModelKind } from '../../machines/devices';
import type { Suite } from '../../tests/suites/suite';

/**
 * What a file given to `--load` adds to dmabench: its default export, or exports of these names.
 * Names of suites and drivers, and compatible strings, must be free.
 */
export interface Plugin {
  /** Run in place of dmabench's own, unless `--suite` asks for others. */
  readonly suites?: readonly Suite[];
  /** Each takes the devices of one of its strings; there must be a model of one of them. */
  readonly drivers?: readonly Driver<unknown>[];
  /** The hardware of devices; there must be a driver for each. */
  readonly devices?: readonly ModelKind[];
}

/** The plugin as it is: for an editor, which then knows what belongs into it. */
export const definePlugin = (plugin: Plugin): Plugin => plugin;
