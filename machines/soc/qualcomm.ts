import { CPUINFO, OTHER_BOARDS, dram, fact, l2 } from './fact';
import type { Soc } from './fact';

const HIGH = dram(0x8000_0000);

export const QUALCOMM: readonly Soc[] = [
  {
    compatible: ['qcom,apq8026', 'qcom,msm8226'],
    facts: {
      ...dram(0),
      core: fact('cortex-a7', 'Snapdragon 400: Cortex-A7'),
      l2: l2('cortex-a7', 512),
    },
  },
  { compatible: ['qcom,apq8074', 'qcom,msm8974', 'qcom,apq8084'], facts: dram(0) },
  { compatible: ['qcom,apq8064', 'qcom,msm8960'], facts: HIGH },
  { compatible: ['qcom,msm8660'], facts: dram(0x4000_0000) },
  { compatible: ['qcom,ipq8064'], facts: dram(0x4000_0000) },
  {
    compatible: ['qcom,ipq4019', '8dev,jalapeno', 'alfa-network,ap120c-ac'],
    facts: dram(0x8000_0000, OTHER_BOARDS),
  },
  { compatible: ['qcom,ipq6018', 'qcom,sm6125'], facts: dram(0x4000_0000) },
  {
    compatible: ['qcom,msm8916', 'qcom,apq8016'],
    facts: { ...HIGH, l2: l2('cortex-a53', 512, CPUINFO) },
  },
  {
    compatible: ['qcom,msm8994', 'qcom,msm8992', 'qcom,apq8094'],
    facts: { ...HIGH, l2: { ...l2('cortex-a53', 512), ...l2('cortex-a57', 2048, CPUINFO) } },
  },
  {
    compatible: ['qcom,sdm630'],
    facts: { ...HIGH, l2: l2('cortex-a53', 1024, `${CPUINFO}: the faster cluster`) },
  },
  {
    compatible: ['qcom,sdm636', 'qcom,sdm660', 'qcom,sda660'],
    facts: { ...HIGH, l2: l2('kryo', 1024, CPUINFO) },
  },
  { compatible: ['qcom,sdx55', 'qcom,sdx65'], facts: { ...HIGH, l2: l2('cortex-a7', 512) } },
  {
    compatible: [
      ...['apq8096', 'msm8996', 'msm8998', 'qcs404', 'sa8155p', 'sa8540p', 'sc7180', 'sc7280'],
      ...[
        'sc8280xp',
        'sdm632',
        'sdm845',
        'sm6350',
        'sm7225',
        'sm8150',
        'sm8250',
        'sm8350',
        'sm8450',
      ],
    ].map(soc => `qcom,${soc}`),
    facts: HIGH,
  },
];
