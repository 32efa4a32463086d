import type { AccessKind, DmaCall, DmaRange, SgRange } from '../../drivers/base/types/observer';
import { Ownership } from '../../mm/ownership';
import { FindingList, LINE, WatchedMemory, partOf, range, site } from './watched-memory';

/** Memory that all tests of ownership use. */
export const START = 0x8000_1000;
export const SIZE = 128;

/** Ownership, and a driver whose calls stand in lines 1 (map), 5 and 6 (syncs) and 9 (unmap). */
export class OwnershipBench {
  readonly watch = new WatchedMemory();
  readonly findings = new FindingList();
  readonly ownership: Ownership;

  constructor(dropsAtMap = true) {
    const { watch, findings } = this;
    this.ownership = new Ownership({ watch, findings, now: () => 7, lineBytes: LINE, dropsAtMap });
  }

  /** `slot`: where the device finds the memory, if not where it is. */
  readonly map = (
    fields: Partial<DmaRange> = {},
    at = 'driver.ts:1',
    slot: number | null = null,
  ): DmaRange => {
    const mapped = range({ address: START, size: SIZE, ...fields });
    this.ownership.mapBegins(mapped, site(at));
    if (slot !== null) this.ownership.bounced(mapped.address, slot, mapped.size);
    this.ownership.dmaMapped(mapped, site(at));
    return mapped;
  };

  readonly unmap = (mapped: DmaCall): void => {
    this.ownership.callBegins('unmap', partOf(mapped), site('driver.ts:9'));
    this.ownership.dmaUnmapped(partOf(mapped), site('driver.ts:9'));
  };

  readonly syncForCpu = (mapped: DmaCall, offset = 0, size = mapped.size): void => {
    this.ownership.callBegins('sync for CPU', partOf(mapped, offset, size), site('driver.ts:5'));
    this.ownership.syncedForCpu(partOf(mapped, offset, size), site('driver.ts:5'));
  };

  readonly syncForDevice = (mapped: DmaCall, offset = 0, size = mapped.size): void => {
    this.ownership.callBegins('sync for device', partOf(mapped, offset, size), site('driver.ts:6'));
    this.ownership.syncedForDevice(partOf(mapped, offset, size), site('driver.ts:6'));
  };

  readonly mapList = (list: SgRange): SgRange => {
    const at = site('driver.ts:1');
    this.ownership.sgMapBegins(list, at);
    this.ownership.sgMapped(list, at);
    return list;
  };

  readonly unmapList = (list: SgRange): void => {
    this.ownership.sgCallBegins('unmap', list, site('driver.ts:9'));
    this.ownership.sgUnmapped(list, site('driver.ts:9'));
  };

  /** What the CPU's access is found to break; one that nobody watches is not told. */
  readonly cpu = (access: AccessKind, address = START, size = 4): string[] => {
    if (this.watch.isWatched(address, size)) this.ownership.cpuTouches(access, address, size);
    return this.findings.rules();
  };

  readonly device = (write: boolean, address = START, size = LINE): string[] => {
    this.ownership.deviceTouches('dev', write, address, size);
    return this.findings.rules();
  };
}
