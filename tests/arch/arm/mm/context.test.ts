import test from 'ava';
import { coreNamed } from '../../../../arch/arm/cores';
import { UserSpaces } from '../../../../arch/arm/mm/context';
import type { AddressSpaceOfUser } from '../../../../arch/arm/mm/context';
import type { CoreProfile } from '../../../../arch/arm/profile';
import { KIB } from '../../../../drivers/base/types/bits';
import { pageToPhys } from '../../../../mm/page-alloc';
import { HoldingAdversary } from '../holding';
import { BareKernel } from './kernel';

const USER = 0x40_0000;
const SHMLBA = 4 * 4096;
const OLD = 0x1111_1111;
const NEW = 0x2222_2222;

/** An ARM1136 whose data cache has this many colours. */
const arm1136 = (colours: number): CoreProfile => {
  const core = coreNamed('arm1136jf-s');
  if (core.l1d === null) throw new Error('an ARM1136 has a data cache');
  return { ...core, l1d: { ...core.l1d, size: colours * 16 * KIB } };
};

const CORES = [arm1136(1), arm1136(2), arm1136(4), coreNamed('arm926ej-s'), coreNamed('cortex-a9')];

for (const core of CORES) {
  const name = `${core.name} with ${(core.l1d?.size ?? 0) / KIB} KiB`;
  for (const isCurrent of [true, false]) {
    const which = isCurrent ? 'the current space' : 'a space that is not current';
    for (const ends of ['unmapPage', 'destroy'] as const) {
      if (ends === 'destroy' && isCurrent) continue;
      test(`${name}: what a user wrote is in the page after ${ends} of ${which}`, t => {
        const kernel = new BareKernel({ core });
        const { mm } = kernel;
        const { cpu } = mm;
        const users = new UserSpaces(mm);
        for (let colour = 0; colour < 4; colour++) {
          const { page, address } = kernel.page(OLD);
          // The same colour as the kernel's address, then each of the others there can be.
          const va = USER + ((address + colour * 4096) % SHMLBA);
          const space = users.create();
          t.true(users.mapPage(space, va, page));
          users.switchTo(space);
          for (let o = 0; o < 4096; o += 4) {
            cpu.load32(va + o);
            cpu.store32(va + o, NEW);
          }
          if (!isCurrent) users.switchTo(users.create());
          users[ends](space, va);
          let stale = 0;
          for (let o = 0; o < 4096; o += 4) if (cpu.load32(address + o) !== NEW) stale++;
          t.is(stale, 0, `colour ${colour}`);
        }
      });
    }
  }
}

for (const [core, image, lpae] of [
  ['cortex-a9', 'arm', false],
  ['cortex-a8', 'arm', false],
  ['cortex-a15', 'arm', true],
  ['cortex-a53', 'arm64', true],
] as const) {
  test(`${core}: a walk in the middle of a switch tags nothing of one space with the ASID of another`, t => {
    // Walks for a page at every event, as a core does that speculates a lot: it was seen at its
    // linear address and at the user's.
    const adversary = new HoldingAdversary();
    let walked: readonly number[] = [];
    adversary.first = 0;
    adversary.onWhim = whims => {
      for (const word of walked) {
        for (const sighting of [0, 1]) whims.take('fill-tlb', word, sighting);
      }
      return 0;
    };
    const kernel = new BareKernel({ core, adversary }, image, lpae);
    const { machine, mm } = kernel;
    const users = new UserSpaces(mm);
    const spaces = [1, 2, 3].map((value): [AddressSpaceOfUser, number] => {
      const { page, address } = kernel.page(value);
      mm.cache.dmaFlushRange(address, 4096);
      const space = users.create();
      users.mapPage(space, USER, page);
      if (value === 1) {
        users.switchTo(space);
        t.is(mm.cpu.load32(USER), value);
        walked = [machine.ram.wordOf(pageToPhys(page))];
      }
      return [space, value];
    });
    for (const [space, value] of [...spaces, ...spaces]) {
      mm.tlb.flushAll();
      users.switchTo(space);
      t.is(mm.cpu.load32(USER), value);
      if (value === 2) users.switchToKernel();
    }
    t.true(machine.complex.unasked('fill-tlb') > 0);
  });
}
