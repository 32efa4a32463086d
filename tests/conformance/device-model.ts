import type { ExecutionContext, TestFn } from 'ava';
import type { DeviceModel } from '../../drivers/base/hw/device';
import type { IrqLine } from '../../drivers/base/hw/irq';
import { TxResult, type AccessWidth } from '../../drivers/base/hw/mmio';
import { hex } from '../../drivers/base/types/address';
import { onesMask } from '../../drivers/base/types/bits';
import { BenchError, InputError, UnmodelledError } from '../../drivers/base/types/errors';
import type { RegisterInfo, RegisterInstance } from '../../drivers/base/types/register-layout';
import type { RegisterSheet } from '../../drivers/base/types/registers';
import { DeviceBus } from '../support/device-bus';

/** Registers of one sheet, at their place in a window of the device. */
export interface SheetWindow {
  readonly sheet: RegisterSheet;
  /** Which of the device's regions, and where in it. */
  readonly region: number;
  readonly offset: number;
  /** Bytes of the sheet that the window shows; all unless given. */
  readonly size?: number;
}

/** One device, not yet realized, and what the suite has to know of it. */
export interface Specimen {
  readonly device: DeviceModel;
  readonly windows: readonly SheetWindow[];
  readonly irqs: readonly IrqLine[];
  readonly guestErrors: string[];
  /**
   * Registers whose content the model makes up (`sheet.NAME`): for these the suite checks what is
   * reserved and what is unmodelled, and leaves the rest to the device's own tests.
   */
  readonly dynamic: readonly string[];
  /** Brings the device into a state far from reset, raising its interrupts if it has any. */
  readonly stir: (bus: DeviceBus) => void;
  /** Undoes what stirring did to the wires that come from outside: reset cannot. */
  readonly release: () => void;
}

interface Place {
  readonly window: SheetWindow;
  readonly instance: RegisterInstance;
}

/** A fresh specimen on its bus, at one register. */
class Probe {
  readonly specimen: Specimen;
  readonly info: RegisterInfo;
  readonly name: string;
  readonly #place: Place;
  readonly #bus: DeviceBus;
  readonly #address: number;

  constructor(specimen: Specimen, place: Place) {
    const { window, instance } = place;
    this.#place = place;
    this.specimen = specimen;
    this.info = instance.info;
    this.name = `${window.sheet.name}.${instance.info.name}[${instance.index}]`;
    this.#bus = new DeviceBus(specimen.device);
    this.#address = this.#bus.baseOf(window.region) + window.offset + instance.at;
  }

  /** Writes ones through another address of the same bits that sets them, if there is one. */
  setThroughPartner(): void {
    const { window, instance } = this.#place;
    const partner = window.sheet.layout.instances.find(
      ({ info, slot }) => slot === instance.slot && info.masks.w1s !== 0,
    );
    if (partner === undefined || partner === instance) return;
    const address = this.#address + partner.at - instance.at;
    this.#bus.write(address, (partner.info.width / 8) as AccessWidth, partner.info.masks.w1s);
  }

  get isDynamic(): boolean {
    const [name = ''] = this.name.split('[');
    return this.specimen.dynamic.includes(name);
  }

  read(): number {
    return this.#bus.read(this.#address, (this.info.width / 8) as AccessWidth);
  }

  write(value: number): TxResult {
    return this.#bus.write(this.#address, (this.info.width / 8) as AccessWidth, value >>> 0);
  }
}

/** First and last instance of every register that the windows show. */
const placesOf = (windows: readonly SheetWindow[]): Place[] =>
  windows.flatMap(window =>
    window.sheet.layout.instances
      .filter(({ info, index, at }) => {
        const isEnd = index === 0 || index === (info.count ?? 1) - 1;
        return isEnd && at < (window.size ?? window.sheet.size);
      })
      .map(instance => ({ window, instance })),
  );

const isClaimed = (windows: readonly SheetWindow[], region: number, offset: number): boolean =>
  windows.some(window => {
    const { lookup, shift } = window.sheet.layout;
    return region === window.region && (lookup[(offset - window.offset) >>> shift] ?? 0) !== 0;
  });

/** Word offsets of a window that no register of any sheet claims. */
const holesOf = (specimen: Specimen): { region: number; offset: number }[] =>
  specimen.windows.flatMap(({ region, offset, size, sheet }) => {
    const holes = [];
    for (let at = 0; at < (size ?? sheet.size); at += 4) {
      if (!isClaimed(specimen.windows, region, offset + at))
        holes.push({ region, offset: offset + at });
    }
    // Enough to catch a decoder that forgets the upper bits, not every word of a large window.
    return holes.filter(
      (_, i) => i % Math.ceil(holes.length / 200) === 0 || i === holes.length - 1,
    );
  });

const checkReserved = (t: ExecutionContext, probe: Probe): void => {
  const { masks, unimplemented } = probe.info;
  if (masks.reserved === 0 || unimplemented) return;
  const before = probe.isDynamic ? null : probe.read();
  const errors = probe.specimen.guestErrors.length;
  const kept = (probe.info.reset & masks.unimplemented) >>> 0;
  t.is(probe.write(masks.reserved | kept), TxResult.Ok, probe.name);
  t.true(probe.specimen.guestErrors.length > errors, `${probe.name}: reserved bits are reported`);
  if (before !== null) t.is(probe.read() & masks.reserved, before & masks.reserved, probe.name);
};

const checkUnmodelled = (t: ExecutionContext, probe: Probe): void => {
  const { masks, unimplemented, reset, name } = probe.info;
  if (unimplemented) t.throws(() => probe.read(), { instanceOf: UnmodelledError }, probe.name);
  for (let bit = 0; bit < 32; bit++) {
    if (((masks.unimplemented >>> bit) & 1) === 0) continue;
    const error = t.throws(() => probe.write(reset ^ (1 << bit)), { instanceOf: UnmodelledError });
    t.regex(error.message, new RegExp(name.replace('.', '\\.')));
  }
};

/** Every kind of bit, as its declaration says; from the reset state, one write, one read. */
const checkAccess = (t: ExecutionContext, probe: Probe): void => {
  const { masks, width, unimplemented, reset } = probe.info;
  if (unimplemented || probe.isDynamic) return;
  const all = onesMask(width);
  const modelled = (all & ~masks.reserved & ~masks.unimplemented) >>> 0;
  probe.setThroughPartner();
  const before = probe.read();
  t.true(before >= 0, `${probe.name} is readable`);
  t.is(before & ~masks.readable, 0, `${probe.name}: write-only bits read as zero`);
  t.is(probe.write(modelled | (reset & masks.unimplemented)), TxResult.Ok, probe.name);
  const after = probe.read();
  const expect = (mask: number, value: number, what: string): void => {
    const shown = mask & masks.readable & modelled;
    t.is((after & shown) >>> 0, (value & shown) >>> 0, `${probe.name}: ${what} of ${hex(mask)}`);
  };
  expect(masks.store, all, 'stored ones');
  expect(masks.w1s, all, 'set ones');
  expect(masks.w1c, 0, 'cleared ones');
  const fixed = all & ~(masks.store | masks.w1s | masks.w1c | masks.readClears);
  expect(fixed >>> 0, before, 'unchanged read-only bits');
};

const stateTests = (test: TestFn, name: string, make: () => Specimen): void => {
  test(`${name}: cannot be used before it is realized, nor realized twice`, t => {
    const { device } = make();
    t.throws(() => device.regions, { instanceOf: BenchError });
    device.realize();
    t.true(device.regions.length > 0);
    t.throws(
      () => {
        device.realize();
      },
      { instanceOf: BenchError },
    );
  });

  test(`${name}: reset brings it back to its first state, however often`, t => {
    const { device, stir, release } = make();
    const first = device.saveState();
    stir(new DeviceBus(device));
    t.notDeepEqual(device.saveState(), first, 'stirring changed something');
    device.reset.pulse();
    const once = device.saveState();
    device.reset.pulse();
    t.deepEqual(device.saveState(), once);
    release();
    device.reset.pulse();
    t.deepEqual(device.saveState(), first);
  });

  test(`${name}: its interrupts are low after reset`, t => {
    const { device, stir, irqs } = make();
    stir(new DeviceBus(device));
    t.true(
      irqs.every(irq => irq.level),
      'stirring raised every interrupt',
    );
    device.reset.assert();
    t.deepEqual(
      irqs.filter(irq => irq.level).map(irq => irq.name),
      [],
    );
    device.reset.release();
    t.false(irqs.some(irq => irq.level));
  });

  test(`${name}: what was saved and restored saves as the same, and then behaves the same`, t => {
    const original = make();
    original.stir(new DeviceBus(original.device));
    const saved = original.device.saveState();
    const copy = make();
    copy.device.restoreState(saved);
    t.deepEqual(copy.device.saveState(), saved);
    original.device.reset.pulse();
    t.deepEqual(copy.device.saveState(), saved, 'the copy shares nothing with the original');
    copy.device.reset.pulse();
    t.deepEqual(copy.device.saveState(), original.device.saveState());
  });

  test(`${name}: a snapshot of something else is refused`, t => {
    const { device } = make();
    for (const foreign of [null, 1, [], {}, new Uint32Array(2)]) {
      t.throws(
        () => {
          device.restoreState(foreign);
        },
        { instanceOf: InputError },
      );
    }
  });
};

/**
 * What every device model has to do, whatever it is: life cycle, reset, snapshots, and the rules of
 * its data sheet as seen from the bus. `make` gives a new, equal specimen at each call.
 */
export const deviceModelConformance = (test: TestFn, name: string, make: () => Specimen): void => {
  stateTests(test, name, make);

  test(`${name}: offsets that no register claims answer AccessError`, t => {
    const specimen = make();
    const bus = new DeviceBus(specimen.device);
    const holes = holesOf(specimen);
    t.true(holes.length > 0);
    for (const { region, offset } of holes) {
      const address = bus.baseOf(region) + offset;
      t.is(bus.read(address, 4), -TxResult.AccessError, hex(offset));
      t.is(bus.write(address, 4, 0), TxResult.AccessError, hex(offset));
    }
  });

  test(`${name}: every register obeys its data sheet`, t => {
    for (const place of placesOf(make().windows)) {
      checkReserved(t, new Probe(make(), place));
      checkUnmodelled(t, new Probe(make(), place));
      checkAccess(t, new Probe(make(), place));
    }
  });

  test(`${name}: only registers that the sheet has are called dynamic`, t => {
    const { windows, dynamic } = make();
    const names = windows.flatMap(({ sheet }) =>
      sheet.layout.registers.map(info => `${sheet.name}.${info.name}`),
    );
    t.deepEqual(
      dynamic.filter(register => !names.includes(register)),
      [],
    );
  });
};
