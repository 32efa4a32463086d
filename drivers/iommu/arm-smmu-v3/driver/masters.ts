import { GFP_KERNEL } from '../../../base/kernel/gfp';
import type { Device } from '../../../base/kernel/device';
import { ENOMEM } from '../../../base/kernel/errno';
import { offsetBy } from '../../../base/types/address';
import { invariant } from '../../../base/types/errors';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { dmaAllocCoherent } from '../../../../mm/dma-mapping-common';
import type { TableMemory } from '../../../../mm/iommu/types';
import { CD } from '../regs/tables';
import type { Words } from '../regs/words';
import type { CommandQueue } from './command-queue';
import { cfgiCd, cfgiSte, prefetchConfig } from './commands';
import type { SmmuDomain } from './domain';
import {
  abortSte,
  bypassSte,
  cdTableSte,
  stage1Cd,
  stage2Ste,
  usedByCd,
  usedBySte,
} from './entries';
import type { EntryOptions } from './entries';
import type { DriverStreamTable, SteSlot } from './stream-table';
import { writeEntry } from './update';

/** The one context descriptor of a stream. */
interface CdSlot {
  readonly address: CpuAddr;
  readonly bus: DmaAddr;
  readonly current: Words;
}

/** A stream as the driver has it. */
interface Master {
  readonly sid: number;
  readonly ste: SteSlot;
  /** Null where there is no stage 1. */
  readonly cd: CdSlot | null;
}

/** What stream table entries depend on. */
export interface MasterOptions extends Omit<EntryOptions, 'mayStall'> {
  /** Streams of masters with `dma-can-stall`. */
  readonly mayStall: (sid: number) => boolean;
  /** `hisilicon,broken-prefetch-cmd`: CMD_PREFETCH_CONFIG is not to be used. */
  readonly brokenPrefetch: boolean;
  readonly stage1: boolean;
}

/** The streams of an SMMU, and what each is attached to. */
export class Masters {
  readonly #dev: Device;
  readonly #commands: CommandQueue;
  readonly #streams: DriverStreamTable;
  readonly #options: MasterOptions;
  readonly #masters = new Map<number, Master>();

  constructor(
    dev: Device,
    commands: CommandQueue,
    streams: DriverStreamTable,
    options: MasterOptions,
  ) {
    this.#dev = dev;
    this.#commands = commands;
    this.#streams = streams;
    this.#options = options;
  }

  /** The stream meets the domain from here on: 0 or -ENOMEM, with nothing changed (arm_smmu_attach_dev). */
  attach(sid: number, { memory, ops, type }: SmmuDomain): number {
    const master = this.#master(sid, memory);
    if (typeof master === 'number') return master;
    const mayStall = this.#options.mayStall(sid) && this.#options.stallsExist;
    const options = { ...this.#options, mayStall };
    if (ops === null) {
      this.#install(master, memory, type === 'identity' ? bypassSte(options) : abortSte());
    } else if (ops.translation.stage === 2) {
      const { config, vmid } = ops.translation;
      this.#install(master, memory, stage2Ste(config, vmid, options));
    } else {
      const { cd } = master;
      invariant(cd !== null, 'a table of stage 1 without a stage 1');
      const { asid, config } = ops.translation;
      this.#writeCd(master, cd, memory, stage1Cd(config, asid, options));
      this.#install(master, memory, cdTableSte(cd.bus, options));
      return 0;
    }
    // Nothing leads to it any more: it is not to be found as it was.
    const unused = new Uint32Array(CD.WORDS);
    if (master.cd !== null) this.#writeCd(master, master.cd, memory, unused);
    return 0;
  }

  #master(sid: number, memory: TableMemory): Master | number {
    const known = this.#masters.get(sid);
    if (known !== undefined) return known;
    const ste = this.#streams.slotOf(sid, memory);
    if (typeof ste === 'number') return ste;
    const cd = this.#options.stage1 ? this.#makeCd() : null;
    if (this.#options.stage1 && cd === null) return -ENOMEM;
    const made = { sid, ste, cd };
    this.#masters.set(sid, made);
    return made;
  }

  #makeCd(): CdSlot | null {
    const memory = dmaAllocCoherent(this.#dev, CD.SIZE, GFP_KERNEL);
    if (memory === null) return null;
    const current = new Uint32Array(CD.WORDS);
    return { address: memory.cpuAddr, bus: memory.dmaHandle, current };
  }

  #install({ sid, ste }: Master, memory: TableMemory, target: Words): void {
    writeEntry(ste.current, target, {
      used: usedBySte,
      store: storesTo(ste.address, memory),
      sync: () => {
        this.#commands.issueWithSync(cfgiSte(sid));
      },
    });
    // The entry will be wanted soon.
    if (!this.#options.brokenPrefetch) this.#commands.issue(prefetchConfig(sid));
  }

  #writeCd({ sid }: Master, cd: CdSlot, memory: TableMemory, target: Words): void {
    writeEntry(cd.current, target, {
      used: usedByCd,
      store: storesTo(cd.address, memory),
      sync: () => {
        this.#commands.issueWithSync(cfgiCd(sid));
      },
    });
  }
}

const storesTo =
  (entry: CpuAddr, memory: TableMemory) =>
  (dword: number, low: number, high: number): void => {
    memory.store64(offsetBy(entry, 8 * dword), low, high);
  };
