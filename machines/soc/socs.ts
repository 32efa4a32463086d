import { ALLWINNER } from './allwinner';
import { ARM } from './arm';
import { EMBEDDED } from './embedded';
import type { Soc } from './fact';
import { MARVELL } from './marvell';
import { MOBILE } from './mobile';
import { NETWORKING } from './networking';
import { NXP } from './nxp';
import { QUALCOMM } from './qualcomm';
import { ROCKCHIP } from './rockchip';
import { SAMSUNG } from './samsung';
import { TI } from './ti';

/** Every SoC that something is known of; a string of `compatible` is in one entry only. */
export const SOCS: readonly Soc[] = [
  ...ALLWINNER,
  ...ARM,
  ...EMBEDDED,
  ...MARVELL,
  ...MOBILE,
  ...NETWORKING,
  ...NXP,
  ...QUALCOMM,
  ...ROCKCHIP,
  ...SAMSUNG,
  ...TI,
];
