import type { GuestErrorSink } from '../../../base/hw/device';
import { TxResult } from '../../../base/hw/mmio';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterFile } from '../../../base/hw/register-file';
import { hex } from '../../../base/types/address';
import type { SheetSpec } from '../../../base/types/register-spec';
import type { RegisterSheet } from '../../../base/types/registers';

/** The states of a unit, as LOAD_STATE writes them: nothing that the sheet does not name passes. */
export interface UnitStates<S extends SheetSpec> {
  readonly cells: RegisterFile<S>;
  /** False: no such state, or bits of it that are reserved. */
  load(offset: number, value: number): boolean;
}

/** The states of a sheet, as after reset. What is declared and not modelled throws by name. */
export const unitStates = <S extends SheetSpec>(
  sheet: RegisterSheet<S>,
  onGuestError: GuestErrorSink,
): UnitStates<S> => {
  const cells = registerFile(sheet, { onGuestError });
  const { lookup, shift, instances } = sheet.layout;
  return {
    cells,
    load: (offset, value) => {
      const info = instances[(lookup[offset >>> shift] ?? 0) - 1]?.info;
      const reserved = ((info?.masks.reserved ?? 0) & value) >>> 0;
      if (info !== undefined && reserved !== 0) {
        onGuestError(`${sheet.name}.${info.name}: reserved bits ${hex(reserved)}`);
        return false;
      }
      return cells.write(offset, 4, value) === TxResult.Ok;
    },
  };
};
