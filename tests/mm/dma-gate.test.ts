import test from 'ava';
import { gatedDma } from '../../drivers/base/kernel/call-gate';
import type { CallGate } from '../../drivers/base/kernel/call-gate';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DmaDirection,
  dmaMapPage,
  dmaMapSg,
  dmaMapSgtable,
  dmaSyncSgForCpu,
  dmaSyncSgForDevice,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForCpu,
  dmaSyncSingleRangeForDevice,
  dmaUnmapPage,
  dmaUnmapSg,
  dmaUnmapSgtable,
} from '../../mm/dma-mapping-common';
import { pfnToPage } from '../../mm/page-alloc';
import { SgEntry, SgTable } from '../../mm/scatterlist';
import { boot } from '../support/booted';
import { dmaDevice } from '../support/dma-device';
import { Stages } from '../support/fake-stages';

const { Bidirectional } = DmaDirection;
const { services } = boot('versatile-pb').kernel;

/** Every call of streaming DMA that maintains caches, by what the gate calls it. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  map: ['map page', 'map sg', 'map sgtable'],
  unmap: ['unmap page', 'unmap sg', 'unmap sgtable'],
  'sync for the CPU': ['single cpu', 'range cpu', 'sg cpu', 'sgtable cpu'],
  'sync for the device': ['single device', 'range device', 'sg device', 'sgtable device'],
};

/** What each call did to caches, with the calls of one name left out. */
const maintained = (
  translation: 'direct' | 'iommu',
  left: string | null,
): { readonly done: ReadonlyMap<string, number>; readonly asked: readonly string[] } => {
  const stages = new Stages();
  const asked: string[] = [];
  const gate: CallGate = {
    isCarriedOut: (layer, name) => {
      asked.push(`${layer} ${name}`);
      return name !== left;
    },
  };
  const ops = gatedDma(gate, stages.ops(translation, true, false), null);
  const dev = dmaDevice(services, { ops });
  const done = new Map<string, number>();
  const run = <Value>(name: string, call: () => Value): Value => {
    const value = call();
    done.set(name, stages.take().filter(told => told.startsWith('for ')).length);
    return value;
  };
  const at = run('map page', () => dmaMapPage(dev, pfnToPage(2), 0, 64, Bidirectional));
  run('single cpu', () => {
    dmaSyncSingleForCpu(dev, at, 64, Bidirectional);
  });
  run('single device', () => {
    dmaSyncSingleForDevice(dev, at, 64, Bidirectional);
  });
  run('range cpu', () => {
    dmaSyncSingleRangeForCpu(dev, at, 8, 8, Bidirectional);
  });
  run('range device', () => {
    dmaSyncSingleRangeForDevice(dev, at, 8, 8, Bidirectional);
  });
  run('unmap page', () => {
    dmaUnmapPage(dev, at, 64, Bidirectional);
  });
  const list = [new SgEntry(pfnToPage(3), 0, PAGE_SIZE)];
  run('map sg', () => dmaMapSg(dev, list, 1, Bidirectional));
  run('sg cpu', () => {
    dmaSyncSgForCpu(dev, list, 1, Bidirectional);
  });
  run('sg device', () => {
    dmaSyncSgForDevice(dev, list, 1, Bidirectional);
  });
  run('unmap sg', () => {
    dmaUnmapSg(dev, list, 1, Bidirectional);
  });
  const table = new SgTable([new SgEntry(pfnToPage(4), 0, PAGE_SIZE)]);
  run('map sgtable', () => dmaMapSgtable(dev, table, Bidirectional));
  run('sgtable cpu', () => {
    dmaSyncSgtableForCpu(dev, table, Bidirectional);
  });
  run('sgtable device', () => {
    dmaSyncSgtableForDevice(dev, table, Bidirectional);
  });
  run('unmap sgtable', () => {
    dmaUnmapSgtable(dev, table, Bidirectional);
  });
  return { done, asked };
};

for (const translation of ['direct', 'iommu'] as const) {
  test(`${translation}: each call asks the gate once, and maintains caches once`, t => {
    const { done, asked } = maintained(translation, null);
    t.deepEqual([...done.keys()].sort(), Object.values(CALLS).flat().sort());
    t.true([...done.values()].every(count => count === 1));
    t.is(asked.length, done.size);
    for (const [name, calls] of Object.entries(CALLS)) {
      t.is(asked.filter(one => one === `dma ${name}`).length, calls.length, name);
    }
  });

  test(`${translation}: a call that is left out maintains nothing, and all others what they did`, t => {
    for (const [name, calls] of Object.entries(CALLS)) {
      const { done } = maintained(translation, name);
      for (const [call, count] of done)
        t.is(count, calls.includes(call) ? 0 : 1, `${name}: ${call}`);
    }
  });
}
