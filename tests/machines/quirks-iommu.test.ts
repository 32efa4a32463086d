import test from 'ava';
import type { DeviceTree } from '../../drivers/of/tree';
import type { MachinePlan } from '../../machines/plan';
import { onBoard } from '../support/boards';
import { ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { applied, deviceAt, machine, plan } from '../support/quirks';

const A9 = 'arm,cortex-a9';
const A53 = 'arm,cortex-a53';

const behind = (
  root: string,
  core: string,
  iommu: string,
  master: DtLiteral,
  name = 'master@2000',
  cells: readonly number[] = [3],
): DeviceTree =>
  machine([root], [core], 0n, {
    'mmu: iommu@1000': { compatible: iommu, reg: [0x1000, 0x1000], '#iommu-cells': [cells.length] },
    [name]: { reg: [0x2000, 0x1000], iommus: [ref('mmu'), ...cells], ...master },
  });

const reasonOf = (board: MachinePlan, name = 'master@2000'): string => {
  const { iommu } = deviceAt(board, `/soc/${name}`).effective;
  return iommu.kind === 'direct' ? iommu.reason : iommu.kind;
};

for (const iommu of ['ti,omap2-iommu', 'ti,omap4-iommu', 'ti,dra7-iommu', 'ti,dra7-dsp-iommu']) {
  test(`${iommu} has a driver that reads no specifiers`, t => {
    const tree = behind('ti,soc', A9, iommu, { compatible: 'acme,dsp' }, 'master@2000', []);
    t.is(reasonOf(plan(tree)), 'no-of-xlate');
    t.is(reasonOf(plan(tree, '-omap-iommu-no-xlate')), 'iommu');
  });
}

test('another IOMMU of the same maker is used', t => {
  t.is(reasonOf(plan(behind('ti,soc', A9, 'ti,new-iommu', { compatible: 'acme,dsp' }))), 'iommu');
});

onBoard(
  'armhf/am572x-idk',
  'has four masters behind IOMMUs that the DMA API does not use',
  (t, tree) => {
    const changed = plan(tree).devices.filter(({ effective }) => effective.quirks.length > 0);
    t.is(changed.length, 4);
    t.true(changed.every(({ effective }) => effective.iommu.kind === 'direct'));
    const off = plan(tree, '-omap-iommu-no-xlate').devices;
    t.is(off.filter(({ effective }) => effective.iommu.kind === 'iommu').length, 4);
  },
);

onBoard('armhf/exynos4412-odroidu3', 'has IOMMUs that the DMA API does use', (t, tree) => {
  const { devices } = plan(tree);
  t.is(devices.filter(({ effective }) => effective.iommu.kind === 'iommu').length, 9);
});

test('the first SMMU of Tegra has no domain for the DMA API of arm64', t => {
  const tree = behind('nvidia,tegra210', A53, 'nvidia,tegra210-mc', { compatible: 'acme,dc' });
  t.is(reasonOf(plan(tree)), 'no-dma-domain');
  t.is(reasonOf(plan(tree, '-tegra-smmu-no-dma-domain')), 'iommu');
});

test('arm32 makes do with the domain that the SMMU of Tegra has', t => {
  const tree = behind('nvidia,tegra124', 'arm,cortex-a15', 'nvidia,tegra124-mc', {
    compatible: 'acme,dc',
  });
  t.is(reasonOf(plan(tree)), 'iommu');
  t.is(reasonOf(plan(tree, '+tegra-smmu-no-dma-domain')), 'no-dma-domain');
});

onBoard('armhf/tegra124-jetson-tk1', 'is translated', (t, tree) => {
  t.deepEqual(applied(plan(tree)), []);
  t.true(plan(tree).devices.some(({ effective }) => effective.iommu.kind === 'iommu'));
});

test('displays and GPUs of Qualcomm start in an identity domain, others do not', t => {
  const smmu = 'qcom,sdm845-smmu-500';
  const display = behind('qcom,sdm845', A53, smmu, { compatible: 'qcom,sdm845-mdss' });
  const usb = behind('qcom,sdm845', A53, smmu, { compatible: 'snps,dwc3' });
  t.is(reasonOf(plan(display)), 'identity-domain');
  t.is(reasonOf(plan(usb)), 'iommu');
  t.is(reasonOf(plan(display, '-qcom-smmu-identity')), 'iommu');
});

test('the same display behind another SMMU has an ordinary domain', t => {
  const tree = machine(['qcom,sdm845'], [A53], 0n, {
    'iommu@1000': {
      compatible: 'qcom,sdm845-smmu-500',
      reg: [0x1000, 0x1000],
      '#iommu-cells': [1],
    },
    'mmu: iommu@3000': { compatible: 'acme,mmu', reg: [0x3000, 0x1000], '#iommu-cells': [1] },
    'master@2000': {
      compatible: 'qcom,sdm845-mdss',
      reg: [0x2000, 0x1000],
      iommus: [ref('mmu'), 3],
    },
  });
  t.deepEqual(applied(plan(tree)), ['qcom-smmu-identity']);
  t.is(reasonOf(plan(tree)), 'iommu');
});

onBoard('arm64/sdm845-db845c', 'has a display and a GPU in identity domains', (t, tree) => {
  const changed = plan(tree).devices.filter(({ effective }) => effective.quirks.length > 0);
  t.deepEqual(changed.map(({ device }) => device.compatible[0]).sort(), [
    'qcom,adreno-630.2',
    'qcom,adreno-gmu-630.2',
    'qcom,sdm845-mdss',
  ]);
});

for (const [soc, name, reason] of [
  ['renesas,r8a77965', 'mmc@ee100000', 'iommu'],
  ['renesas,r8a77965', 'usb@ee100000', 'refused'],
  ['renesas,r8a77965', 'mmc@ee180000', 'refused'],
  ['renesas,r8a774a1', 'mmc@ee100000', 'refused'],
  ['renesas,r8a7796', 'mmc@ee160000', 'refused'],
  ['renesas,r8a7790', 'usb@ee100000', 'iommu'],
] as const) {
  test(`${name} of ${soc}: the IPMMU's driver answers ${reason}`, t => {
    const tree = behind(soc, A53, 'renesas,ipmmu-r8a77965', { compatible: 'acme,master' }, name);
    t.is(reasonOf(plan(tree), name), reason);
    t.is(reasonOf(plan(tree, '-ipmmu-allowlist'), name), 'iommu');
  });
}

onBoard('arm64/r8a774a1-hihope-rzg2m-ex', 'has IPMMUs that nobody is let through', (t, tree) => {
  const board = plan(tree);
  t.deepEqual(applied(board), ['ipmmu-allowlist']);
  t.true(board.devices.some(device => device.tree.iommu.kind === 'iommu'));
  t.false(board.devices.some(device => device.effective.iommu.kind === 'iommu'));
});
