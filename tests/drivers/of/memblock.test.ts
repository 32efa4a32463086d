import fc from 'fast-check';
import test from 'ava';
import type { MemRange } from '../../../drivers/of/memblock';
import { Memblock } from '../../../drivers/of/memblock';
import { U64_MAX } from '../../../drivers/of/property';

const range = (base: bigint, size: bigint): MemRange => ({ base, size });
const MIB = 0x10_0000n;

const withRam = (...ram: MemRange[]): Memblock => {
  const memblock = new Memblock();
  for (const { base, size } of ram) memblock.add(base, size);
  return memblock;
};

test('memory that is added twice or touches is one range', t => {
  const memblock = withRam(
    range(0x3000n, 0x1000n),
    range(0x1000n, 0x2000n),
    range(0x2000n, 0x5000n),
  );
  t.deepEqual(memblock.memory, [range(0x1000n, 0x6000n)]);
});

test('an allocation takes the highest free memory that is aligned', t => {
  const memblock = withRam(range(0x4000_0000n, 16n * MIB));
  t.is(memblock.allocRange(MIB, 64n, 0n, U64_MAX), 0x40f0_0000n);
  t.is(memblock.allocRange(0x1000n, MIB, 0n, U64_MAX), 0x40e0_0000n);
  t.is(memblock.allocRange(0x1000n, 64n, 0n, U64_MAX), 0x40ef_f000n, 'the gap alignment left');
  t.deepEqual(memblock.reserved, [range(0x40e0_0000n, 0x1000n), range(0x40ef_f000n, 0x10_1000n)]);
});

test('an odd size is aligned all the same', t => {
  const memblock = withRam(range(0x10_0000n, 0x10_0000n));
  t.is(memblock.allocRange(0x71n, 64n, 0n, U64_MAX), 0x1f_ff80n);
});

test('an allocation stays in its window and out of what is reserved or not mapped', t => {
  const memblock = withRam(range(0n, 64n * MIB));
  memblock.reserve(8n * MIB, MIB);
  memblock.setNoMap(6n * MIB, MIB, true);
  t.is(memblock.allocRange(MIB, 64n, 2n * MIB, 9n * MIB), 7n * MIB);
  t.is(memblock.allocRange(2n * MIB, 64n, 5n * MIB, 9n * MIB), undefined);
  t.is(memblock.allocRange(65n * MIB, 64n, 0n, U64_MAX), undefined);
});

test('the first page is never allocated, as address 0 means failure', t => {
  const memblock = withRam(range(0n, 0x2000n));
  t.is(memblock.allocRange(0x1000n, 64n, 0n, U64_MAX), 0x1000n);
  t.is(memblock.allocRange(0x1000n, 64n, 0n, U64_MAX), undefined);
});

test('an alignment that is no power of two acts as the mask the kernel makes of it', t => {
  const memblock = withRam(range(0x10_0000n, 0x10_0000n));
  // The mask of 0x3000 clears the bits of 0x2fff.
  t.is(memblock.allocRange(0x1000n, 0x3000n, 0n, U64_MAX), 0x1f_d000n);
});

test('no-map memory is memory all the same, and can become mapped again', t => {
  const memblock = withRam(range(0n, 0x1_0000n));
  memblock.setNoMap(0x4000n, 0x1000n, true);
  t.deepEqual(memblock.memory, [range(0n, 0x1_0000n)]);
  t.deepEqual(memblock.mapped, [range(0n, 0x4000n), range(0x5000n, 0xb000n)]);
  memblock.setNoMap(0x4000n, 0x1000n, false);
  t.deepEqual(memblock.mapped, [range(0n, 0x1_0000n)]);
  memblock.setNoMap(0x10_0000n, 0x1000n, true);
  t.deepEqual(memblock.memory, [range(0n, 0x1_0000n)], 'what is no memory stays none');
});

test('what is given back can be allocated again', t => {
  const memblock = withRam(range(0x1_0000n, 0x4000n));
  memblock.reserve(0x1_0000n, 0x4000n);
  memblock.free(0x1_1000n, 0x1000n);
  t.deepEqual(memblock.reserved, [range(0x1_0000n, 0x1000n), range(0x1_2000n, 0x2000n)]);
  t.is(memblock.allocRange(0x1000n, 64n, 0n, U64_MAX), 0x1_1000n);
});

test('capping forgets mapped memory outside the range, a size of 0 forgets nothing', t => {
  const memblock = withRam(range(0n, 0x1_0000n), range(0x10_0000n, 0x1_0000n));
  memblock.setNoMap(0x2000n, 0x1000n, true);
  memblock.capMemoryRange(0x8000n, 0n);
  t.is(memblock.memory.length, 2);
  memblock.capMemoryRange(0x8000n, 0x4000n);
  t.deepEqual(memblock.memory, [range(0x2000n, 0x1000n), range(0x8000n, 0x4000n)]);
});

test('a range to the end of the address space loses its last byte, as in the kernel', t => {
  const base = U64_MAX - 0xfffn;
  t.deepEqual(withRam(range(base, 0x1000n)).memory, [range(base, 0xfffn)]);
  t.deepEqual(withRam(range(base, U64_MAX)).memory, [range(base, 0xfffn)]);
});

test('overlap is told for memory and reservations, touching is none', t => {
  const memblock = withRam(range(0x1000n, 0x1000n));
  memblock.reserve(0x1800n, 0x800n);
  t.true(memblock.overlapsMemory(0n, 0x1001n));
  t.false(memblock.overlapsMemory(0n, 0x1000n));
  t.false(memblock.overlapsMemory(0x2000n, 0x1000n));
  t.true(memblock.isRegionReserved(0x1000n, 0x801n));
  t.false(memblock.isRegionReserved(0x1000n, 0x800n));
});

/** One operation on a small memory of 64 units, and the same on an array of flags. */
const operation = fc.record({
  kind: fc.constantFrom('add', 'reserve', 'free', 'noMap', 'map', 'cap'),
  base: fc.integer({ min: 0, max: 63 }),
  size: fc.integer({ min: 0, max: 20 }),
});

interface Unit {
  memory: boolean;
  noMap: boolean;
  reserved: boolean;
}

const areApart = (ranges: readonly MemRange[]): boolean =>
  ranges.every(({ base, size }, i) => size > 0n && base + size <= (ranges[i + 1]?.base ?? U64_MAX));

test('the lists say the same as one flag per unit of memory would', t => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 25 }), operations => {
      const memblock = new Memblock();
      const units = Array.from({ length: 96 }, (): Unit => {
        return { memory: false, noMap: false, reserved: false };
      });
      for (const { kind, base, size } of operations) {
        const [start, length] = [BigInt(base), BigInt(size)];
        const inside = units.slice(base, base + size);
        if (kind === 'add') memblock.add(start, length);
        if (kind === 'reserve') memblock.reserve(start, length);
        if (kind === 'free') memblock.free(start, length);
        if (kind === 'noMap' || kind === 'map') memblock.setNoMap(start, length, kind === 'noMap');
        if (kind === 'cap') memblock.capMemoryRange(start, length);
        for (const unit of inside) {
          if (kind === 'add') unit.memory = true;
          if (kind === 'reserve') unit.reserved = true;
          if (kind === 'free') unit.reserved = false;
          if (kind === 'noMap' && unit.memory) unit.noMap = true;
          if (kind === 'map') unit.noMap = false;
        }
        if (kind === 'cap' && size > 0) {
          for (const unit of units) if (!inside.includes(unit) && !unit.noMap) unit.memory = false;
        }
      }
      const listed = (ranges: readonly MemRange[], at: number) =>
        ranges.some(({ base, size }) => BigInt(at) >= base && BigInt(at) < base + size);
      const lists = [memblock.memory, memblock.mapped, memblock.reserved];
      t.true(lists.every(areApart), 'ranges have a size and do not overlap');
      units.forEach((unit, at) => {
        t.is(listed(memblock.memory, at), unit.memory, `memory at ${at}`);
        t.is(listed(memblock.mapped, at), unit.memory && !unit.noMap, `mapped at ${at}`);
        t.is(listed(memblock.reserved, at), unit.reserved, `reserved at ${at}`);
      });
    }),
  );
});
