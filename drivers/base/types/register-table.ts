import { hex } from './address';
import type { FieldInfo, RegisterInfo } from './register-layout';
import type { RegisterSheet } from './registers';

/** How much of a sheet is modelled, and what is not, by name. */
export interface RegisterCoverage {
  readonly registers: number;
  readonly fields: number;
  /** Registers and fields marked unimplemented: `CTRL`, `CH.CFG.PRIO`. */
  readonly unimplemented: readonly string[];
  readonly notModelled: readonly string[];
}

/** Counts what a sheet declares; an array's registers and a vector count once. */
export const registerCoverage = (sheet: RegisterSheet): RegisterCoverage => {
  const { registers } = sheet.layout;
  const unimplemented = registers.flatMap(({ name, unimplemented, fields }) =>
    unimplemented
      ? [name]
      : fields.filter(info => !info.field.implemented).map(info => `${name}.${info.name}`),
  );
  return {
    registers: registers.length,
    fields: registers.reduce((sum, info) => sum + info.fields.length, 0),
    unimplemented,
    notModelled: sheet.notModelled ?? [],
  };
};

const HEADER = ['Offset', 'Register', 'Bits', 'Field', 'Access', 'Reset', 'Note'];

const bitsOf = ({ field }: FieldInfo): string =>
  field.count === 1 ? `${field.low}` : `${field.low + field.count - 1}:${field.low}`;

const offsetOf = ({ at, stride, count }: RegisterInfo): string =>
  count === null ? hex(at) : `${hex(at)} + ${hex(stride)} × n, n < ${count}`;

const rowsOf = (info: RegisterInfo): string[][] => {
  const access = [
    ...(info.fields.length === 0 ? [info.access] : []),
    ...(info.unimplemented ? ['not modelled'] : []),
    ...(info.shares === null ? [] : [`bits of ${info.shares}`]),
    ...(info.width === 32 ? [] : [`${info.width} bit`]),
    ...(info.partial ? ['partial'] : []),
  ];
  const register = [
    offsetOf(info),
    `\`${info.name}\``,
    '',
    '',
    access.join(', '),
    hex(info.reset),
    info.note,
  ];
  const fields = info.fields.map(field => [
    '',
    '',
    bitsOf(field),
    `\`${field.name}\``,
    field.field.implemented ? field.access : `${field.access}, not modelled`,
    '',
    '',
  ]);
  return [register, ...fields];
};

/** The sheet as a Markdown table, padded as a formatter would: for a device's README. */
export const renderRegisterTable = (sheet: RegisterSheet): string => {
  const rows = [HEADER, ...sheet.layout.registers.flatMap(rowsOf)];
  const widths = HEADER.map((_, column) => Math.max(3, ...rows.map(r => r[column]?.length ?? 0)));
  const line = (cells: readonly string[], filler: string): string =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width, filler)).join(' | ')} |`;
  const [header = [], ...body] = rows;
  return [line(header, ' '), line([], '-'), ...body.map(row => line(row, ' '))].join('\n');
};

/** What is not modelled, as Markdown list items; each says where. */
export const renderNotModelled = (sheet: RegisterSheet): string => {
  const { unimplemented, notModelled } = registerCoverage(sheet);
  const bits = unimplemented.map(name => `\`${sheet.name}.${name}\` (a loud error)`);
  return [...notModelled, ...bits].map(item => `- ${item}`).join('\n');
};
