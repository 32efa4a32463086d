import test from 'ava';
import { UserSpaces } from '../../../../arch/arm/mm/context';
import type { AddressSpaceOfUser } from '../../../../arch/arm/mm/context';
import { TlbOp } from '../../../../drivers/base/types/isa';
import { KERNELS, bootCase } from './kernels';
import { recording } from './recorder';

const USER = 0x40_0000;
const ASIDS = 256;

/* ASIDs: what happens when all have been handed out. */

for (const kernel of KERNELS.filter(({ format }) => format !== 'v5')) {
  const setUp = () => {
    const bare = bootCase(kernel);
    const users = new UserSpaces(bare.mm);
    const spaceOf = (value: number): AddressSpaceOfUser => {
      const space = users.create();
      users.mapPage(space, USER, bare.page(value).page);
      return space;
    };
    const spaces = [spaceOf(1), spaceOf(2)] as const;
    const filler = users.create();
    /** Switches to a space that has never had an ASID: it takes the next one. */
    const take = (): void => {
      filler.generation = 0;
      users.switchTo(filler);
    };
    return { machine: bare.machine, mm: bare.mm, users, spaces, filler, take };
  };

  test(`${kernel.format} on ${kernel.core}: ASIDs are handed out once each, then every TLB is emptied`, t => {
    const { machine, users, spaces, filler, take } = setUp();
    const seen = new Set<number>();
    const { steps } = recording(machine.cpu, () => {
      for (let i = 1; i < ASIDS; i++) {
        take();
        seen.add(filler.asid);
      }
    });
    t.is(seen.size, ASIDS - 1);
    t.false(seen.has(0), 'the kernel has that one');
    t.false(steps.some(({ kind }) => kind === 'tlb'));
    const { steps: last } = recording(machine.cpu, () => {
      users.switchTo(spaces[0]);
    });
    const flush = last.findIndex(
      step => step.kind === 'tlb' && (step.op === TlbOp.All || step.op === TlbOp.AllIS),
    );
    const root = last.findLastIndex(step => step.kind === 'register' && step.name === 'TTBR0');
    t.true(flush >= 0 && flush < root);
    t.true(spaces[0].asid > 0 && spaces[0].asid < ASIDS);
  });

  test(`${kernel.format} on ${kernel.core}: what is walked for after the TLBs were emptied keeps an ASID of its own`, t => {
    for (const at of [1, 2, ASIDS - 1]) {
      const { machine, mm, users, spaces, filler, take } = setUp();
      const [old, young] = spaces;
      for (let i = 1; i < ASIDS; i++) {
        if (i === at) users.switchTo(old);
        else take();
      }
      users.switchTo(old);
      t.is(old.asid, at);
      const { cpu } = machine;
      const tlbOp = cpu.tlbOp.bind(cpu);
      cpu.tlbOp = (op, operand, asid) => {
        tlbOp(op, operand, asid);
        cpu.dsb();
        // As a core may at any time: the old space is still in force.
        cpu.load32(USER);
      };
      users.switchTo(young);
      cpu.tlbOp = tlbOp;
      t.is(mm.cpu.load32(USER), 2, `the old space had ASID ${at}`);
      for (let i = 0; i < 2 * ASIDS; i++) {
        const space = i % 3 === 0 ? old : young;
        users.switchTo(space);
        t.is(mm.cpu.load32(USER), space === old ? 1 : 2);
        take();
        const isShared = filler.generation === old.generation && filler.asid === old.asid;
        t.false(isShared, `ASID ${old.asid} belongs to two spaces`);
      }
    }
  });
}
