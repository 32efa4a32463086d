import test from 'ava';
import type { RawFinding } from '../../drivers/base/types/finding';
import { FindingLog } from '../../machines/finding-log';

const finding = (fields: Partial<RawFinding> & { at?: string; kind?: string }): RawFinding => {
  const { at = 'driver.ts:1', kind = 'CPU load', ...rest } = fields;
  return {
    rule: 'stale-cpu-read',
    device: 'dev',
    buffer: null,
    bytes: { start: 0, size: 1 },
    access: { kind, at },
    missing: null,
    event: 1,
    verdict: 1,
    ...rest,
  };
};

test('findings of one rule at one place of one device are one, counted, and the first is kept', t => {
  const log = new FindingLog();
  log.report(finding({ event: 5 }));
  log.report(finding({ event: 6, kind: 'CPU store', bytes: { start: 9, size: 4 } }));
  log.report(finding({ at: 'driver.ts:2' }));
  log.report(finding({ device: 'other' }));
  log.report(finding({ rule: 'stale-device-read' }));
  log.report(finding({ event: 7 }));
  t.is(log.size, 4);
  t.deepEqual(
    log
      .take()
      .map(({ rule, event, device, count, access: { at } }) => [rule, event, device, at, count]),
    [
      ['stale-cpu-read', 5, 'dev', 'driver.ts:1', 3],
      ['stale-cpu-read', 1, 'dev', 'driver.ts:2', 1],
      ['stale-cpu-read', 1, 'other', 'driver.ts:1', 1],
      ['stale-device-read', 1, 'dev', 'driver.ts:1', 1],
    ],
  );
});

test('what was taken is gone, and is found anew', t => {
  const log = new FindingLog();
  log.report(finding({}));
  t.is(log.take().length, 1);
  t.deepEqual(log.take(), []);
  log.report(finding({}));
  t.is(log.take()[0]?.count, 1);
});

test('messages of dma-debug at one place are told apart by their words, not by their numbers', t => {
  const log = new FindingLog();
  const say = (kind: string): void => {
    log.report(finding({ rule: 'dma-debug', kind }));
  };
  say('frees [device address=0x000000008000a000] [size=64 bytes]');
  say('frees [device address=0x0000000080000040] [size=1024 bytes]');
  say('syncs [device address=0x0000000080000040] [size=1024 bytes]');
  t.deepEqual(
    log.take().map(({ count }) => count),
    [2, 1],
  );
});

test('more findings than anyone reads are counted and not kept', t => {
  const log = new FindingLog();
  for (let i = 0; i < 1200; i++) log.report(finding({ at: `driver.ts:${i}` }));
  log.report(finding({ at: 'driver.ts:0' }));
  t.deepEqual([log.size, log.dropped], [1000, 200]);
  t.is(log.take()[0]?.count, 2);
  t.is(log.dropped, 0);
});
