import { readDts } from '../../../drivers/of/dts';
import { printDts } from '../../../drivers/of/dts-print';
import { NO_FILES } from '../../../drivers/of/dts-source';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import {
  boards,
  boardsDtcTest,
  boardsTest,
  compile,
  dtc,
  isEqual,
  normalise,
} from '../../support/fdt';

/* Real boards through every reader and writer, held against dtc. */

const NOTHING = new Uint8Array();

const all = boards.map(({ name, blob }) => {
  const { tree } = readFdt(blob);
  return { name, blob, tree, normal: writeFdt(tree), source: printDts(tree) };
});

boardsDtcTest("the normal form of every board is dtc's, byte for byte", t => {
  for (const { name, blob, normal } of all) {
    t.true(isEqual(normal, normalise(blob) ?? NOTHING), name);
  }
});

boardsTest('the normal form of a normal form is itself', t => {
  for (const { name, normal } of all) {
    t.true(isEqual(writeFdt(readFdt(normal).tree), normal), name);
  }
});

boardsTest('the printed source of every board reads as the same tree', t => {
  for (const { name, tree, normal, source } of all) {
    const again = readDts(source, name, NO_FILES);
    again.bootCpu = tree.bootCpu;
    t.true(isEqual(writeFdt(again), normal), name);
  }
});

boardsDtcTest('dtc makes of the printed source of every board its normal form', t => {
  for (const { name, tree, normal, source } of all) {
    t.true(isEqual(compile(source, '-b', `${tree.bootCpu}`) ?? NOTHING, normal), name);
  }
});

boardsDtcTest('source that dtc prints of every board is read as dtc reads it', t => {
  // Not always the same tree: dtc 1.6 prints a digit after a NUL as part of the escape.
  for (const { name, blob } of all) {
    const source = Buffer.from(dtc(['-I', 'dtb', '-O', 'dts'], blob) ?? NOTHING).toString('latin1');
    const mine = writeFdt(readDts(source, name, NO_FILES));
    t.true(isEqual(mine, compile(source) ?? NOTHING), name);
  }
});
