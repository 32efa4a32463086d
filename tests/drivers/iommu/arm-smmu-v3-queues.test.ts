import test from 'ava';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { dmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError } from '../../../drivers/base/types/errors';
import {
  resume,
  sync,
  tlbiNsnhAll,
  tlbiVa,
} from '../../../drivers/iommu/arm-smmu-v3/driver/commands';
import { CommandError } from '../../../drivers/iommu/arm-smmu-v3/regs';
import { COMMAND, Opcode, SyncSignal } from '../../../drivers/iommu/arm-smmu-v3/regs/commands';
import { EVENT } from '../../../drivers/iommu/arm-smmu-v3/regs/events';
import type { Words } from '../../../drivers/iommu/arm-smmu-v3/regs/words';
import { RAM_BASE, RAM_SIZE } from '../../support/dma-bench';
import {
  ASID,
  AT,
  AT_DATA,
  DATA,
  DATA_PAGE,
  SID,
  SmmuV3Bench,
  running,
  translating,
} from '../../support/smmu-v3-bench';

/* Commands, events and what waits: everything that goes through the queues of an SMMUv3. */

test('commands are carried out in order, around the queue and around again', t => {
  const made = translating();
  for (let round = 0; round < 40; round++) {
    made.page(1, round % 2 === 0 ? DATA_PAGE : null);
    made.command(tlbiVa(ASID, PAGE_SIZE, true), sync(null));
    t.deepEqual(made.read(AT_DATA), round % 2 === 0 ? DATA : TxResult.Error);
    made.events();
  }
  t.is(made.regs.CMDQ_CONS.read().RD, 80 % 32);
  made.regs.CMDQ_PROD.write({ WR: 80 % 32 });
  t.is(made.bench.events.pending, 0, 'an empty queue has nothing to do');
});

test('CMD_SYNC completes by a word in memory, by a wire, or silently', t => {
  const made = running();
  made.bench.poke(AT.message, [1, 2, 3, 4]);
  made.command(sync(AT.message));
  t.deepEqual(made.bench.peek(AT.message, 4), [0, 0, 0, 0]);
  const wire = new Uint32Array(COMMAND.WORDS);
  COMMAND.OP.put(wire, Opcode.Sync);
  COMMAND.CS.put(wire, SyncSignal.Irq);
  made.command(wire);
  t.deepEqual(made.interrupts, ['cmdq-sync']);
  made.command(sync(RAM_BASE + RAM_SIZE + 0x100));
  t.is(made.regs.GERROR.read().MSI_CMDQ_ABT_ERR, 1, 'nobody was there');
  t.deepEqual(made.interrupts, ['cmdq-sync', 'gerror']);
});

test('an illegal command stops the queue until it is replaced and acknowledged', t => {
  const made = translating();
  const { CMDQ_CONS, GERROR, GERRORN } = made.regs;
  made.read(AT_DATA);
  made.page(1, null);
  made.command(Uint32Array.of(0x7f, 0, 0, 0), tlbiNsnhAll(), sync(null));
  t.like(CMDQ_CONS.read(), { RD: 0, ERR: CommandError.Illegal });
  t.like(GERROR.read(), { CMDQ_ERR: 1 });
  t.deepEqual(made.interrupts, ['gerror']);
  made.pass(1000);
  t.is(CMDQ_CONS.read().RD, 0);
  made.put(AT.commands, sync(null));
  made.pass(1000);
  t.is(CMDQ_CONS.read().RD, 0, 'replaced, not acknowledged');
  GERRORN.write({ CMDQ_ERR: 1 });
  made.pass(60);
  t.is(CMDQ_CONS.read().RD, 3);
  t.is(made.read(AT_DATA), TxResult.Error);
  const reserved = sync(null);
  COMMAND.CS.put(reserved, 3);
  made.command(reserved);
  t.like(GERROR.read(), { CMDQ_ERR: 0 }, 'it toggles');
});

test('a queue where nobody answers is an error', t => {
  const made = new SmmuV3Bench();
  made.regs.CMDQ_BASE_LO.write(RAM_BASE + RAM_SIZE + 0x1_0000);
  made.regs.CR2.write({ RECINVSID: 1 });
  made.regs.CR0.write({ CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 });
  made.pass(100);
  made.regs.CMDQ_PROD.write({ WR: 1 });
  made.pass(20);
  t.is(made.regs.CMDQ_CONS.read().ERR, CommandError.Abort);
  t.is(made.read(0), TxResult.Error);
  t.is(made.regs.GERROR.read().EVENTQ_ABT_ERR, 1);
  t.deepEqual(made.interrupts, [], 'nobody asked for them');
});

test('a full event queue loses records, and says so once; the interrupt is an edge from empty', t => {
  const made = running().stage1();
  for (let i = 0; i < 6; i++) made.read(AT_DATA + i * PAGE_SIZE);
  t.like(made.regs.EVENTQ_PROD.read(), { WR: 4, OVFLG: 1 });
  t.deepEqual(made.interrupts, ['eventq']);
  t.is(made.events().length, 4);
  made.read(AT_DATA);
  t.like(made.regs.EVENTQ_PROD.read(), { WR: 5, OVFLG: 1 });
  t.deepEqual(made.interrupts, ['eventq', 'eventq']);
  made.regs.EVENTQ_IRQ_CFG0_LO.write(AT.message);
  made.regs.EVENTQ_IRQ_CFG1.write(7);
  made.events();
  made.read(AT_DATA);
  t.deepEqual(made.bench.peek(AT.message, 1), [7], 'or a message');
  t.is(made.interrupts.length, 2);
});

/** Reads at an address in a transfer, and tells what came of it. */
const transfer = (made: SmmuV3Bench, address: number, sid = SID): (TxResult | 'complete')[] => {
  const told: (TxResult | 'complete')[] = [];
  const port = made.port(sid);
  const into = new Uint8Array(4);
  port.transfer(
    1,
    () => told.push(port.read(dmaAddr(address), 4, into)),
    () => told.push('complete'),
  );
  made.pass(1);
  return told;
};

const stalling = (): SmmuV3Bench => running().stage1(() => undefined, true);

test('a transaction that stalls waits: for a retry, which is translated again, or for its end', t => {
  const made = stalling();
  const told = transfer(made, AT_DATA);
  const [record] = made.events();
  t.deepEqual(told, [TxResult.Error], 'it is not complete');
  t.true(record !== undefined && EVENT.STALL.of(record) === 1 && EVENT.STAG.of(record) === 0);
  t.throws(() => made.model.saveState(), { instanceOf: BenchError });
  made.page(1, DATA_PAGE);
  made.command(resume(SID, 1, 'retry'), resume(SID + 1, 0, 'retry'));
  t.is(told.length, 1, 'another tag, another stream');
  made.command(resume(SID, 0, 'retry'));
  t.deepEqual(told.slice(1), [TxResult.Ok, 'complete']);
  const aborted = transfer(made, 5 * PAGE_SIZE);
  made.command(resume(SID, 0, 'abort'));
  t.deepEqual(aborted.slice(1), [TxResult.Error, 'complete']);
  const terminated = transfer(made, 5 * PAGE_SIZE);
  made.command(Uint32Array.of(Opcode.StallTerm, SID, 0, 0));
  t.deepEqual(terminated.slice(1), [TxResult.Error, 'complete']);
  t.deepEqual(
    made.refused.map(({ cause }) => cause),
    ['stalled-terminated', 'stalled-terminated'],
  );
  const off = transfer(made, 5 * PAGE_SIZE);
  made.regs.CR0.write({ CMDQEN: 1, EVENTQEN: 1 });
  made.pass(100);
  t.deepEqual(off.slice(1), [TxResult.Error, 'complete'], 'when the SMMU goes off');
});

test('stage 2 stalls where its entry says so', t => {
  const made = running().stage2(() => undefined, true);
  const told = transfer(made, AT_DATA);
  made.page(1, DATA_PAGE, { stage: 2 });
  made.command(resume(SID, 0, 'retry'));
  t.deepEqual(told, [TxResult.Error, TxResult.Ok, 'complete']);
});

test('the record of what waits is not lost: it waits for a tag and for room', t => {
  const made = stalling();
  const told = [2, 3, 4].map(page => transfer(made, page * PAGE_SIZE));
  const tags = (records: readonly Words[]): number[] => records.map(each => EVENT.STAG.of(each));
  t.deepEqual(tags(made.events()), [0, 1], 'there are two tags');
  made.command(resume(SID, 0, 'abort'));
  t.deepEqual(tags(made.events()), [0]);
  made.command(resume(SID, 0, 'abort'), resume(SID, 1, 'abort'));
  t.true(told.every(each => each.at(-1) === 'complete'));
  const full = stalling();
  for (let i = 0; i < 4; i++) full.read(AT_DATA, 2);
  const waiting = transfer(full, AT_DATA);
  t.is(full.regs.EVENTQ_PROD.read().OVFLG, 0, 'nothing is lost');
  t.is(full.events().length, 4);
  t.deepEqual(tags(full.events()), [0], 'now there is room');
  full.command(resume(SID, 0, 'abort'));
  t.is(waiting.at(-1), 'complete');
});
