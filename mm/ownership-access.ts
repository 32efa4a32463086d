import { callSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';
import type { AccessKind } from '../drivers/base/types/observer';
import type { Mapping, Mappings } from './mappings';
import type { CallScope } from './ownership-calls';
import { nameOf } from './ownership-report';
import type { OwnershipReport } from './ownership-report';
import {
  besideOf,
  holdsSome,
  isDevices,
  isShared,
  judgeDevice,
  syncFor,
  takeBack,
  whollyHeld,
} from './ownership-rules';
import { overlaps } from './page-index';
import type { Transfers } from './transfers';

/** Who is looked up, and told, when memory is touched. */
export interface AccessParts {
  readonly mappings: Mappings;
  readonly transfers: Transfers;
  readonly scope: CallScope;
  readonly report: OwnershipReport;
  readonly lineBytes: number;
}

/** Whether CPU and devices touch what is theirs. */
export class AccessRules {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  deviceTouches(device: string, write: boolean, address: number, size: number): void {
    const { mappings, transfers, report } = this.#parts;
    const live = mappings.reachedBy(device, address, size);
    if (write) for (const mapping of live) mapping.isFilled = true;
    const transfer = transfers.actingOf(device);
    // What is shared by agreement has an order of its own, and the CPU looks while it goes on.
    if (transfer !== null && live.some(one => !holdsSome(one, address, size, isShared))) {
      transfers.touches(transfer, write, address, size);
    }
    const [only] = live;
    if (only !== undefined && live.length === 1 && whollyHeld(only, write, address, size)) return;
    if (write) takeBack(live, address, size);
    const found = judgeDevice(mappings, { device, live, write, address, size });
    if (found.length === 0) return;
    const at = transfer?.site ?? callSite();
    const kind = write ? 'device write' : 'device read';
    for (const { rule, mapping, bytes, missing } of found) {
      const { call, after } = missing ?? {};
      report.found({
        rule,
        device,
        mapping,
        bytes,
        kind,
        at,
        ...(call === undefined ? {} : { missing: { call, between: [after ?? null, at.at] } }),
      });
    }
  }

  cpuTouches(access: AccessKind, address: number, size: number): void {
    const { mappings, transfers, scope, report } = this.#parts;
    const met = transfers.metByCpu(access, { start: address, size }, scope.own);
    if (met.length > 0) report.met(nameOf(access), met, callSite);
    if (access !== 'load' && access !== 'poll' && access !== 'store') return;
    // A copy between a buffer and its slot.
    if (scope.has({ start: address, size })) return;
    for (const block of mappings.freedBlocks(address, size)) {
      const { device, start, end } = block;
      const from = Math.max(address, start);
      const bytes = { start: from, size: Math.min(address + size, end) - from };
      const rule = 'cpu-access-after-free' as const;
      report.found({ rule, device, mapping: block, bytes, kind: nameOf(access), at: callSite() });
    }
    for (const mapping of mappings.sharingLines(address, size)) {
      if (mapping.isCommon) continue;
      if (overlaps(mapping, address, size)) this.#judgeCpu(mapping, access, address, size);
      if (access === 'store' && mapping.isExposed) this.#judgeBeside(mapping, address, size);
    }
  }

  /** The CPU loads or stores bytes of a mapping: may it? */
  #judgeCpu(
    mapping: Mapping,
    access: 'load' | 'poll' | 'store',
    address: number,
    size: number,
  ): void {
    const start = Math.max(address, mapping.start);
    const end = Math.min(address + size, mapping.end);
    const isStore = access === 'store';
    if (isStore || mapping.direction !== 'to-device') {
      if (mapping.holds.some(start, end, isDevices)) {
        this.#reportCpu(mapping, access, { start, size: end - start });
      }
    }
    if (!isStore) return;
    mapping.holds.update(start, end, hold => (hold.owner === 'cpu' ? hold.written : hold));
  }

  #reportCpu(mapping: Mapping, access: AccessKind, bytes: ByteRange): void {
    const at = callSite();
    const since = mapping.holds.at(bytes.start).since.at;
    this.#parts.report.found({
      rule: 'cpu-access-to-device-buffer',
      device: mapping.device,
      mapping,
      bytes,
      kind: nameOf(access),
      at,
      missing: { call: syncFor('Cpu', mapping), between: [since, at.at] },
    });
  }

  /** The CPU stores beside a mapping, to a line that has bytes of it which are the device's. */
  #judgeBeside(mapping: Mapping, address: number, size: number): void {
    const { device } = mapping;
    const kind = nameOf('store');
    for (const bytes of besideOf(mapping, address, size, this.#parts.lineBytes)) {
      const at = callSite();
      this.#parts.report.found({ rule: 'shared-line', device, mapping, bytes, kind, at });
    }
  }
}
