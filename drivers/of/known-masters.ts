/*
 * Devices known to read and write memory by themselves, by compatible string. A device tree does
 * not say so: this is from the bindings and drivers of Linux. One table, one line a fact; `*`
 * stands for anything. A device that is not here may still be a master.
 */

export type MasterClass =
  | 'dma-engine'
  | 'gpu'
  | 'display'
  | 'camera'
  | 'video-codec'
  | 'graphics-2d'
  | 'network'
  | 'usb'
  | 'storage'
  | 'crypto'
  | 'remote-processor';

const KNOWN_MASTERS: readonly (readonly [MasterClass, readonly string[]])[] = [
  [
    'dma-engine',
    [
      'actions,s*00-dma',
      'allwinner,sun*-dma',
      'apm,xgene-storm-dma',
      'arm,pl080',
      'arm,pl081',
      'arm,pl330',
      'aspeed,ast*-xdma',
      'atmel,at91sam9*-dma',
      'atmel,sama5d4-dma',
      'brcm,bcm2835-dma',
      'faraday,ftdma020',
      'fsl,imx*-dma',
      'fsl,imx*-dma-apbh',
      'fsl,imx*-dma-apbx',
      'fsl,imx*-edma',
      'fsl,imx*-sdma',
      'fsl,ls1021a-qdma',
      'fsl,ls1028a-edma',
      'fsl,vf610-edma',
      'hisilicon,k3-dma-1.0',
      'marvell,adma-1.0',
      'marvell,armada-*-xor',
      'marvell,orion-xor',
      'marvell,pdma-1.0',
      'marvell,xor-v2',
      'mediatek,*-hsdma',
      'mediatek,*-uart-dma',
      'microchip,sama7g5-dma',
      'moxa,moxart-dma',
      'nvidia,tegra*-adma',
      'nvidia,tegra*-apbdma',
      'nvidia,tegra*-gpcdma',
      'nxp,lpc3220-dma*',
      'qcom,*-gpi-dma',
      'qcom,adm',
      'qcom,bam-v*',
      'renesas,nbpfaxi64dmac*',
      'renesas,rcar-dmac',
      'renesas,rcar-gen4-dmac',
      'renesas,rz-dmac',
      'renesas,usb-dmac',
      'snps,axi-dma-1.01a',
      'snps,dma-spear1340',
      'socionext,uniphier-*dmac',
      'sprd,sc9860-dma',
      'st,stih407-fdma-*',
      'st,stm32-dma',
      'st,stm32h7-mdma',
      'stericsson,dma40',
      'ti,*-cppi41',
      'ti,*-navss-*-udmap',
      'ti,am64-dmss-*',
      'ti,edma3',
      'ti,edma3-tptc',
      'ti,omap*-sdma',
      'xlnx,axi-dma-1.00.a',
      'xlnx,zynqmp-dma-1.0',
      'xlnx,zynqmp-dpdma',
    ],
  ],
  [
    'gpu',
    [
      '*-mali',
      'arm,mali-*',
      'brcm,*-v3d',
      'nvidia,gk20a',
      'nvidia,gm20b',
      'nvidia,gp10b',
      'nvidia,gv11b',
      'nvidia,tegra*-gr3d',
      'qcom,adreno',
      'qcom,adreno-*',
      'vivante,gc',
    ],
  ],
  [
    'display',
    [
      'allwinner,sun*-de2-mixer-*',
      'allwinner,sun*-display-backend',
      'allwinner,sun*-display-frontend',
      'amlogic,meson-*-vpu',
      'arm,hdlcd',
      'arm,mali-dp*',
      'arm,pl110',
      'arm,pl111',
      'aspeed,ast*-gfx',
      'atmel,*-hlcdc',
      'atmel,at91*-lcdc',
      'brcm,bcm2711-hvs',
      'brcm,bcm2835-hvs',
      'fsl,imx*-fb',
      'fsl,imx*-ipu',
      'fsl,imx*-lcdif',
      'fsl,imx*-pxp',
      'fsl,ls1028a-dp',
      'hisilicon,hi*-ade',
      'mediatek,*-disp-ovl*',
      'mediatek,*-disp-rdma',
      'nvidia,tegra*-dc',
      'nxp,imx8mq-dcss',
      'qcom,*-dpu',
      'qcom,mdp5',
      'renesas,du-*',
      'renesas,vsp2',
      'rockchip,*-vop',
      'rockchip,*-vop-big',
      'rockchip,*-vop-lit',
      'samsung,exynos*-decon',
      'samsung,exynos*-fimd',
      'samsung,exynos*-mixer',
      'samsung,s5pv210-fimd',
      'st,stm32-ltdc',
      'ti,*-dispc',
      'ti,am33xx-tilcdc',
      'ti,am65x-dss',
      'ti,j721e-dss',
    ],
  ],
  [
    'camera',
    [
      'allwinner,sun*-csi',
      'brcm,bcm2835-unicam',
      'fsl,imx*-csi',
      'qcom,*-camss',
      'renesas,vin-*',
      'rockchip,*-cif-isp',
      'rockchip,*-isp1',
      'samsung,exynos*-fimc',
      'samsung,exynos*-fimc-is',
      'samsung,exynos*-fimc-lite',
      'st,stm32-dcmi',
      'ti,dra7-vpe',
      'ti,dra72-cal',
      'ti,omap3-isp',
    ],
  ],
  [
    'video-codec',
    [
      'allwinner,sun*-video-engine',
      'amlogic,*-vdec',
      'aspeed,ast*-video-engine',
      'cnm,coda*',
      'mediatek,*-vcodec-dec',
      'mediatek,*-vcodec-enc',
      'nvidia,tegra*-nvdec',
      'nvidia,tegra*-nvenc',
      'nvidia,tegra*-vde',
      'nvidia,tegra*-vic',
      'nxp,imx8m*-vpu-g1',
      'nxp,imx8m*-vpu-g2',
      'qcom,*-venus',
      'rockchip,*-vdec',
      'rockchip,*-vpu',
      'samsung,exynos*-jpeg',
      'samsung,exynos*-mfc',
      'samsung,mfc-v*',
    ],
  ],
  [
    'graphics-2d',
    [
      'allwinner,sun*-deinterlace',
      'allwinner,sun*-rotate',
      'nvidia,tegra*-gr2d',
      'rockchip,*-rga',
      'samsung,exynos*-g2d',
      'samsung,exynos*-gsc',
      'samsung,exynos*-rotator',
      'samsung,exynos*-scaler',
      'st,stm32-dma2d',
    ],
  ],
  [
    'network',
    [
      'actions,s500-emac',
      'allwinner,sun*-emac',
      'allwinner,sun*-gmac',
      'altr,socfpga-stmmac*',
      'amd,xgbe-seattle-v1a',
      'apm,xgene*-enet',
      'apm,xgene*-sgenet',
      'apm,xgene*-xgenet',
      'brcm,*-amac',
      'brcm,bcm2711-genet-v5',
      'brcm,genet-v*',
      'calxeda,hb-xgmac',
      'cdns,*-gem',
      'cdns,*-macb',
      'cdns,at91rm9200-emac',
      'cdns,gem',
      'cdns,macb',
      'cortina,gemini-ethernet',
      'faraday,ftgmac100',
      'fsl,etsec2',
      'fsl,fman',
      'fsl,imx*-fec',
      'hisilicon,*-gmac',
      'hisilicon,hns-dsaf-v*',
      'intel,ixp4xx-ethernet',
      'marvell,*-eth',
      'marvell,armada-*-neta',
      'marvell,armada-*-pp2*',
      'mediatek,*-eth',
      'nxp,lpc-eth',
      'qcom,fsm9900-emac',
      'renesas,etheravb-rcar-gen*',
      'rockchip,*-emac',
      'rockchip,*-gmac',
      'snps,dwc-qos-ethernet-*',
      'snps,dwmac',
      'snps,dwmac-*',
      'st,spear600-gmac',
      'ti,*-cpsw',
      'ti,*-cpsw-nuss',
      'ti,*-emac',
      'ti,cpsw-switch',
    ],
  ],
  [
    'usb',
    [
      'allwinner,sun*-musb',
      'atmel,at91*-ehci',
      'atmel,at91*-ohci',
      'brcm,bcm2835-usb',
      'cdns,usb3',
      'chipidea,usb2',
      'fsl,imx*-usb',
      'generic-ehci',
      'generic-ohci',
      'generic-xhci',
      'marvell,*-ehci',
      'marvell,*-ohci',
      'marvell,*-xhci',
      'mediatek,*-xhci',
      'nuvoton,npcm*-ehci',
      'nvidia,tegra*-ehci',
      'nvidia,tegra*-udc',
      'nvidia,tegra*-xusb',
      'renesas,rcar-gen*-usbhs',
      'renesas,rcar-gen3-usb3-peri',
      'renesas,xhci-*',
      'samsung,exynos4210-ehci',
      'samsung,exynos4210-ohci',
      'snps,dwc2',
      'snps,dwc3',
      'st,spear600-ehci',
      'st,spear600-ohci',
      'st,st-ehci-300x',
      'st,st-ohci-300x',
      'stericsson,db8500-musb',
      'ti,*-musb',
      'ti,ehci-omap',
      'ti,musb-*',
      'ti,ohci-omap3',
      'via,vt8500-ehci',
      'xhci-platform',
    ],
  ],
  [
    'storage',
    [
      '*-ahci',
      '*-ufs',
      '*-ufshc',
      'allwinner,sun*-emmc',
      'allwinner,sun*-mmc',
      'arasan,sdhci-*',
      'aspeed,ast*-sdhci',
      'atmel,sama5d2-sdhci',
      'brcm,bcm2711-emmc2',
      'ceva,ahci-1v84',
      'fsl,*-esdhc',
      'fsl,imx*-usdhc',
      'hisilicon,hip0*-sas-v*',
      'jedec,ufs-2.0',
      'marvell,armada-*-sdhci',
      'marvell,armada-370-sata',
      'marvell,dove-sdhci',
      'marvell,orion-sata',
      'nvidia,tegra*-sdhci',
      'qcom,sdhci-msm-v*',
      'qcom,ufshc',
      'renesas,rcar-gen*-sata',
      'renesas,rcar-gen*-sdhi',
      'rockchip,*-dw-mshc',
      'samsung,exynos*-dw-mshc*',
      'samsung,exynos*-sdhci',
      'samsung,s3c6410-sdhci',
      'snps,dw-mshc',
      'snps,dwcmshc-sdhci',
      'st,stm32-sdmmc2',
      'ti,*-sdhci',
      'ti,*-sdhci-*',
    ],
  ],
  [
    'crypto',
    [
      'allwinner,sun*-crypto',
      'amd,ccp-seattle-v1a',
      'aspeed,ast*-hace',
      'fsl,sec-v4.0-job-ring',
      'fsl,sec-v5.0-job-ring',
      'hisilicon,hip0*-sec',
      'inside-secure,safexcel-eip*',
      'marvell,armada-*-crypto',
      'qcom,crypto-v*',
      'rockchip,*-crypto',
      'samsung,exynos4210-secss',
      'st,stm32*-cryp',
      'ti,am654-sa2ul',
      'ti,j721e-sa2ul',
    ],
  ],
  [
    'remote-processor',
    [
      'mediatek,*-scp',
      'mediatek,*-vpu',
      'qcom,*-adsp-pas',
      'qcom,*-cdsp-pas',
      'qcom,*-mpss-pas',
      'qcom,*-slpi-pas',
      'st,stm32mp1-m4',
      'ti,*-c66-dsp',
      'ti,*-c71-dsp',
      'ti,*-dsp',
      'ti,*-ipu',
      'ti,*-r5f',
      'ti,*-pru',
    ],
  ],
];

interface Pattern {
  readonly text: string;
  readonly parts: readonly string[];
  readonly masterClass: MasterClass;
}

const PATTERNS: readonly Pattern[] = KNOWN_MASTERS.flatMap(([masterClass, texts]) =>
  texts.map(text => ({ text, parts: text.split('*'), masterClass })),
);

/** True if the text is the parts in order, with anything between them. */
const matches = (text: string, parts: readonly string[]): boolean => {
  const [head = '', ...rest] = parts;
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head)) return false;
  let at = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length >= at + tail.length && text.endsWith(tail);
};

/** Which kind of master a device is, and how that was found. */
export interface KnownMaster {
  readonly masterClass: MasterClass;
  /** The compatible string that matched, and the pattern it matched. */
  readonly compatible: string;
  readonly pattern: string;
}

/** The first of a node's compatible strings, most specific first, that is known as a master's. */
export const knownMaster = (compatible: readonly string[]): KnownMaster | undefined => {
  for (const entry of compatible) {
    const pattern = PATTERNS.find(({ parts }) => matches(entry, parts));
    if (pattern !== undefined) {
      return { masterClass: pattern.masterClass, compatible: entry, pattern: pattern.text };
    }
  }
  return undefined;
};
