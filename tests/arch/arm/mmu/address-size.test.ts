import test from 'ava';
import { CORES, coreNamed } from '../../../../arch/arm/cores';
import { FaultKind } from '../../../../drivers/base/types/isa';
import { mmuOver, outcomeOf } from './oracle';
import type { Outcome } from './oracle';

const WIDTHS = [32, 36, 40, 42, 44, 48];
const ROOT = 0x1000;
const TABLES = [0x2000, 0x3000, 0x4000];
const VA = 0x5000;

interface Case {
  /** log2 of the address that is too high, if any is. */
  readonly bit: number;
  /** Where it stands: the TTBR, the entry of a table at a level, or the page. */
  readonly where: 'ttbr' | 0 | 1 | 2 | 3;
}

/** Walks VA through four levels, with one address high, on a core and with an IPS of so many bits. */
const walk = (core: string, ips: number, { bit, where }: Case): Outcome => {
  const high = 2 ** (bit - 32);
  const entries = new Map<number, number>();
  [ROOT, ...TABLES].forEach((table, level) => {
    const at = table + (level === 3 ? (VA / 4096) * 8 : 0);
    const low = level === 3 ? 0x7000 | (1 << 10) | 3 : (TABLES[level] ?? 0) | 3;
    entries.set(at, low);
    entries.set(at + 4, where === level ? high : 0);
  });
  const mmu = mmuOver(
    coreNamed(core),
    { word: address => entries.get(address) ?? 0 },
    {
      sctlr: 5,
      tcr: 16 | (16 << 16) | (2 << 30),
      tcrHigh: WIDTHS.indexOf(ips),
      ttbr0: ROOT,
      ttbr0High: where === 'ttbr' ? high : 0,
    },
  );
  return outcomeOf(mmu, () => mmu.walk(VA));
};

test('an address beyond TCR.IPS or beyond what the core has faults at its level', t => {
  for (const [core, ips, bits] of [
    ['cortex-a53', 48, 40],
    ['cortex-a53', 40, 40],
    ['cortex-a53', 36, 36],
    ['cortex-a53', 32, 32],
    ['cortex-a57', 48, 44],
    ['cortex-a72', 44, 44],
    ['cortex-a72', 42, 42],
    ['armv8', 44, 44],
  ] as const) {
    for (const where of ['ttbr', 0, 1, 2, 3] as const) {
      const level = where === 'ttbr' ? 0 : where;
      const fault = { fault: FaultKind.AddressSize, level };
      t.deepEqual(walk(core, ips, { bit: bits, where }), fault, `${core} ${ips} ${where}`);
    }
    if (bits > 32)
      t.is(walk(core, ips, { bit: bits - 1, where: 3 })['pa'], 2 ** (bits - 1) + 0x7000);
  }
});

test('every core of ARMv8 has a range that ID_AA64MMFR0 can name, others have what tables name', t => {
  for (const { name, tables, paBits } of CORES) {
    if (tables.includes('v8')) t.true(WIDTHS.includes(paBits), name);
    else t.is(paBits, tables.includes('lpae') ? 40 : 32, name);
  }
});
