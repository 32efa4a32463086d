import type { OfPhandleArgs } from '../../drivers/of/phandle';
import type { DtNode } from '../../drivers/of/tree';
import type { DmaFacts, Quirk, QuirkedReason } from './quirk';
import { findCompatible, rootIs } from './quirk';

/*
 * Where the DMA API does not use an IOMMU that the tree names. It concerns the DMA API alone:
 * the IOMMU is there, and drivers with page tables of their own (a GPU's, a DSP's) use it.
 *
 * No quirk: mtk_iommu_v1 reads no specifiers either, but attaches its masters by itself.
 */

/** IOMMUs of a device that satisfy the condition, the first of them. */
const iommuOf = ({ iommu }: DmaFacts, is: (node: DtNode) => boolean): DtNode | null =>
  iommu.kind === 'iommu' ? (iommu.specs.find(({ node }) => is(node))?.node ?? null) : null;

const specsOf = ({ iommu }: DmaFacts): readonly OfPhandleArgs[] =>
  iommu.kind === 'iommu' ? iommu.specs : [];

const isCompatible =
  (names: readonly string[]) =>
  (node: DtNode): boolean =>
    node.compatible.some(name => names.includes(name));

const direct = (facts: DmaFacts, iommu: DtNode, reason: QuirkedReason): DmaFacts => ({
  ...facts,
  iommu: { kind: 'direct', reason, iommu, diagnostics: [], specs: specsOf(facts) },
});

const OMAP_IOMMUS = ['ti,omap2-iommu', 'ti,omap4-iommu', 'ti,dra7-iommu', 'ti,dra7-dsp-iommu'];

/** The driver has no `.of_xlate`: no specifier is ever taken. */
export const omapIommuNoXlate: Quirk = {
  name: 'omap-iommu-no-xlate',
  source: 'drivers/iommu/omap-iommu.c, omap_iommu_ops',
  applies: ({ tree }) => {
    const node = findCompatible(tree, OMAP_IOMMUS);
    return node === null ? null : `${node.path} is ${node.compatible.join(', ')}`;
  },
  device: facts => {
    const iommu = iommuOf(facts, isCompatible(OMAP_IOMMUS));
    return iommu === null ? facts : direct(facts, iommu, 'no-of-xlate');
  },
};

const TEGRA_SMMUS = [30, 114, 124, 132, 210].map(model => `nvidia,tegra${model}-mc`);

/**
 * The driver of Tegra's first SMMU has domains for drivers only. arm64's DMA API asks for one of
 * its own kind and does without; arm32's makes do with what there is.
 */
export const tegraSmmuNoDmaDomain: Quirk = {
  name: 'tegra-smmu-no-dma-domain',
  source: 'drivers/iommu/tegra-smmu.c, tegra_smmu_domain_alloc()',
  applies: ({ tree, arch }) => {
    const node = arch === 'arm64' ? findCompatible(tree, TEGRA_SMMUS) : null;
    return node === null ? null : `${node.path} is ${node.compatible.join(', ')}`;
  },
  device: facts => {
    const iommu = iommuOf(facts, isCompatible(TEGRA_SMMUS));
    return iommu === null ? facts : direct(facts, iommu, 'no-dma-domain');
  },
};

const QCOM_SMMUS = [
  'qcom,adreno-smmu',
  'qcom,msm8998-smmu-v2',
  'qcom,qcm2290-smmu-500',
  'qcom,sc7180-smmu-500',
  'qcom,sc7280-smmu-500',
  'qcom,sc8180x-smmu-500',
  'qcom,sc8280xp-smmu-500',
  'qcom,sdm630-smmu-v2',
  'qcom,sdm845-smmu-500',
  'qcom,sm6125-smmu-500',
  'qcom,sm6350-smmu-500',
  'qcom,sm6375-smmu-500',
  'qcom,sm8150-smmu-500',
  'qcom,sm8250-smmu-500',
  'qcom,sm8350-smmu-500',
  'qcom,sm8450-smmu-500',
];

const QCOM_CLIENTS = [
  'qcom,adreno',
  'qcom,adreno-gmu',
  'qcom,mdp4',
  'qcom,mdss',
  'qcom,sc7180-mdss',
  'qcom,sc7180-mss-pil',
  'qcom,sc7280-mdss',
  'qcom,sc7280-mss-pil',
  'qcom,sc8180x-mdss',
  'qcom,sdm845-mdss',
  'qcom,sdm845-mss-pil',
  'qcom,sm8250-mdss',
];

/** GPUs, displays and modems of Qualcomm start in an identity domain. */
export const qcomSmmuIdentity: Quirk = {
  name: 'qcom-smmu-identity',
  source: 'drivers/iommu/arm/arm-smmu/arm-smmu-qcom.c, qcom_smmu_def_domain_type()',
  applies: ({ tree }) => {
    const node = findCompatible(tree, QCOM_SMMUS);
    return node === null ? null : `${node.path} is ${node.compatible.join(', ')}`;
  },
  device: (facts, node) => {
    const iommu = isCompatible(QCOM_CLIENTS)(node)
      ? iommuOf(facts, isCompatible(QCOM_SMMUS))
      : null;
    return iommu === null ? facts : direct(facts, iommu, 'identity-domain');
  },
};

const renesas = (...socs: string[]): string[] => socs.map(soc => `renesas,${soc}`);

/** R-Car Gen3 and Gen4, RZ/G2: here the driver takes none but the devices it lists. */
const IPMMU_OPT_IN = renesas(
  ...['r8a774a1', 'r8a774b1', 'r8a774c0', 'r8a774e1'],
  ...['r8a7795', 'r8a7796', 'r8a77961', 'r8a77965', 'r8a77970', 'r8a77980', 'r8a77990'],
  ...['r8a77995', 'r8a779a0', 'r8a779f0', 'r8a779g0'],
);

/** … and none at all. R-Car H3 is taken for ES3.0, as its revision is not in the tree. */
const IPMMU_DENIED = renesas('r8a774a1', 'r8a7796');

const IPMMU_ALLOWED = new Set(['mmc@ee100000', 'mmc@ee120000', 'mmc@ee140000', 'mmc@ee160000']);

const isIpmmu = (node: DtNode): boolean =>
  node.compatible.some(
    name => name.startsWith('renesas,ipmmu-') || name === 'renesas,rcar-gen4-ipmmu-vmsa',
  );

/** The IPMMU's driver opts in the SD hosts of some SoCs; all else of the newer ones is direct. */
export const ipmmuAllowlist: Quirk = {
  name: 'ipmmu-allowlist',
  source: 'drivers/iommu/ipmmu-vmsa.c, ipmmu_device_is_allowed()',
  applies: context => rootIs(context, IPMMU_OPT_IN),
  device: (facts, node, context) => {
    const iommu = iommuOf(facts, isIpmmu);
    const isDenied = rootIs(context, IPMMU_DENIED) !== null;
    if (iommu === null || (!isDenied && IPMMU_ALLOWED.has(node.name))) return facts;
    return direct(facts, iommu, 'refused');
  },
};
