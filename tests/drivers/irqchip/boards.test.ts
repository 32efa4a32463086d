import test from 'ava';
import type { IrqChip } from '../../../drivers/base/kernel/irq';
import type { DeviceModel } from '../../../drivers/base/hw/device';
import { InputError } from '../../../drivers/base/types/errors';
import { ArmctrlIcDriver } from '../../../drivers/irqchip/bcm2835-armctrl-ic/driver';
import { ArmctrlIc } from '../../../drivers/irqchip/bcm2835-armctrl-ic/model';
import { COMPATIBLE as ARMCTRL } from '../../../drivers/irqchip/bcm2835-armctrl-ic/regs';
import { AspeedVicDriver } from '../../../drivers/irqchip/aspeed-vic/driver';
import { AspeedVic } from '../../../drivers/irqchip/aspeed-vic/model';
import { COMPATIBLE as ASPEED } from '../../../drivers/irqchip/aspeed-vic/regs';
import { GicV3Driver } from '../../../drivers/irqchip/gic-v3/driver';
import { GicV3 } from '../../../drivers/irqchip/gic-v3/model/gic-v3';
import { COMPATIBLE as GIC_V3 } from '../../../drivers/irqchip/gic-v3/regs';
import { GicDriver } from '../../../drivers/irqchip/gic/driver/gic-driver';
import { Gic } from '../../../drivers/irqchip/gic/model/gic';
import { COMPATIBLE as GIC, MAX_SPIS } from '../../../drivers/irqchip/gic/regs';
import { OmapIntcDriver } from '../../../drivers/irqchip/omap-intc/driver';
import { OmapIntc } from '../../../drivers/irqchip/omap-intc/model';
import { COMPATIBLE as OMAP } from '../../../drivers/irqchip/omap-intc/regs';
import { Sun4iIcDriver } from '../../../drivers/irqchip/sun4i-ic/driver';
import { Sun4iIc } from '../../../drivers/irqchip/sun4i-ic/model';
import { COMPATIBLE as SUN4I } from '../../../drivers/irqchip/sun4i-ic/regs';
import { ofIrqs } from '../../../drivers/of/irq';
import { ofDevices } from '../../../drivers/of/platform';
import { DeviceBus } from '../../support/device-bus';
import { boardNames, onBoard } from '../../support/boards';

const onGuestError = (): void => undefined;

const overBus = (model: DeviceModel, drive: (bus: DeviceBus) => IrqChip): IrqChip =>
  drive(new DeviceBus(model));

const gic = (): IrqChip =>
  overBus(
    new Gic({
      name: 'gic',
      version: 2,
      cpus: 1,
      spis: MAX_SPIS,
      distributorId: 0,
      cpuInterfaceId: 0,
      cpuInterfaceSize: 0x2000,
      priorityBits: 5,
      currentCpu: () => 0,
      onGuestError,
    }),
    bus => {
      const [distributor, cpuInterface] = [bus.baseOf(0), bus.baseOf(1)];
      const chip = new GicDriver({ name: 'gic', io: bus.io, distributor, cpuInterface });
      chip.initDistributor();
      return chip;
    },
  );

const gicV3 = (): IrqChip => {
  const model = new GicV3({
    name: 'gic',
    affinities: [0],
    spis: MAX_SPIS,
    priorityBits: 5,
    onGuestError,
  });
  return overBus(model, bus => {
    const chip = new GicV3Driver({
      name: 'gic',
      io: bus.io,
      icc: model.icc(0),
      distributor: bus.baseOf(0),
      redistributors: bus.baseOf(1),
      currentCpu: () => 0,
    });
    chip.initDistributor(0);
    return chip;
  });
};

const CHIPS: readonly (readonly [compatible: readonly string[], make: () => IrqChip])[] = [
  [GIC, gic],
  [GIC_V3, gicV3],
  [
    ARMCTRL,
    () =>
      overBus(
        new ArmctrlIc({ name: 'armctrl', onGuestError }),
        bus => new ArmctrlIcDriver({ name: 'armctrl', io: bus.io, base: bus.baseOf(0) }),
      ),
  ],
  [
    ASPEED,
    () =>
      overBus(
        new AspeedVic({ name: 'avic', onGuestError }),
        bus => new AspeedVicDriver({ name: 'avic', io: bus.io, base: bus.baseOf(0) }),
      ),
  ],
  [
    OMAP,
    () =>
      overBus(
        new OmapIntc({ name: 'intc', lines: 128, revision: 0, onGuestError }),
        bus => new OmapIntcDriver({ name: 'intc', io: bus.io, base: bus.baseOf(0), lines: 128 }),
      ),
  ],
  [
    SUN4I,
    () =>
      overBus(
        new Sun4iIc({ name: 'intc', onGuestError }),
        bus => new Sun4iIcDriver({ name: 'intc', io: bus.io, base: bus.baseOf(0) }),
      ),
  ],
];

const chips = new Map<readonly string[], IrqChip>();

/** The driver of a controller that is modelled, or null. */
const chipFor = (compatible: readonly string[]): IrqChip | null => {
  const found = CHIPS.find(([names]) => names.some(name => compatible.includes(name)));
  if (found === undefined) return null;
  const [names, make] = found;
  const chip = chips.get(names) ?? make();
  chips.set(names, chip);
  return chip;
};

if (boardNames.length === 0) {
  test.skip('real boards: every interrupt of a modelled controller has a number', t => {
    t.fail();
  });
}

for (const board of boardNames) {
  onBoard(board, 'every interrupt of a modelled controller has a number', (t, tree) => {
    const phandles = tree.phandles();
    const refused: string[] = [];
    for (const { node } of ofDevices(tree)) {
      for (const { node: controller, args } of ofIrqs(node, phandles)) {
        const chip = chipFor(controller.compatible);
        try {
          chip?.translate(args);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          refused.push(`${node.path}: ${error.message}`);
        }
      }
    }
    t.deepEqual(refused, []);
  });
}
