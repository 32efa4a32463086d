import { StateReader } from '../../../drivers/base/types/state';
import type { StateValue } from '../../../drivers/base/types/state';

/** The system registers that steer translation and caching, as software wrote them. */
export interface TranslationRegisters {
  sctlr: number;
  actlr: number;
  ttbr0: number;
  ttbr0High: number;
  ttbr1: number;
  ttbr1High: number;
  tcr: number;
  tcrHigh: number;
  dacr: number;
  prrr: number;
  nmrr: number;
  mair0: number;
  mair1: number;
  contextidr: number;
}

/** As a core comes out of reset: MMU and caches off. What manuals leave unknown is zero. */
export const resetRegisters = (): TranslationRegisters => ({
  sctlr: 0,
  actlr: 0,
  ttbr0: 0,
  ttbr0High: 0,
  ttbr1: 0,
  ttbr1High: 0,
  tcr: 0,
  tcrHigh: 0,
  dacr: 0,
  prrr: 0,
  nmrr: 0,
  mair0: 0,
  mair1: 0,
  contextidr: 0,
});

/** Takes every register from a snapshot. */
export const restoreRegisters = (registers: TranslationRegisters, state: StateValue): void => {
  const reader = new StateReader(state, 'translation registers');
  for (const name of NAMES) registers[name] = reader.number(name);
};

const isName = (name: string, of: TranslationRegisters): name is keyof TranslationRegisters =>
  name in of;

const NAMES: readonly (keyof TranslationRegisters)[] = Object.keys(resetRegisters()).filter(
  (name): name is keyof TranslationRegisters => isName(name, resetRegisters()),
);
