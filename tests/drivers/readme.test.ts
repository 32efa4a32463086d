import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import test from 'ava';
import {
  registerCoverage,
  renderNotModelled,
  renderRegisterTable,
} from '../../drivers/base/types/register-table';
import type { RegisterSheet } from '../../drivers/base/types/registers';
import { projectFiles } from '../tree/project-files';

/* Whoever has a data sheet has a README that shows it, and says what of it is not modelled. */

const FILES = new Map(
  [...projectFiles('drivers'), ...projectFiles('arch')].map(({ path, text }) => [path, text]),
);
const load = createRequire(__filename);

const isSheet = (value: unknown): value is RegisterSheet =>
  typeof value === 'object' && value !== null && 'registers' in value && 'notModelled' in value;

const sheetsOf = (path: string): RegisterSheet[] => {
  const exported: unknown = load(join(__dirname, '../..', path));
  return Object.values(exported ?? {}).filter(isSheet);
};

for (const path of FILES.keys()) {
  if (!path.endsWith('/regs.ts')) continue;
  const folder = dirname(path);
  const sheets = sheetsOf(path);

  test(`the README of ${folder} shows its data sheets and what is not modelled`, t => {
    t.true(sheets.length > 0, `${path} exports no data sheet`);
    const readme = FILES.get(`${folder}/README.md`) ?? '';
    t.regex(readme, /^## Modelled$[^]*^- [^]*^## Not modelled$/m);
    for (const sheet of sheets) {
      const table = renderRegisterTable(sheet);
      t.true(readme.includes(table), `the table of ${sheet.name} is:\n${table}`);
      const gaps = renderNotModelled(sheet);
      t.true(readme.includes(gaps), `what is not modelled of ${sheet.name} is:\n${gaps}`);
    }
  });

  test(`the data sheets of ${folder} say what is not modelled`, t => {
    const missing = sheets.flatMap(sheet => {
      const { notModelled, unimplemented } = registerCoverage(sheet);
      return [...notModelled, ...unimplemented.map(name => `${sheet.name}.${name}`)];
    });
    t.true(missing.length > 0);
    t.is(new Set(missing).size, missing.length, 'each gap is said once');
  });
}

test('data sheets are looked for where devices are', t => {
  const sheets = [...FILES.keys()].filter(path => path.endsWith('/regs.ts'));
  for (const folder of ['drivers/dma/copy-engine', 'drivers/irqchip/gic', 'arch/arm/cache/pl310']) {
    t.true(sheets.includes(`${folder}/regs.ts`), folder);
  }
});
