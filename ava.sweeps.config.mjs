import base, { SWEEPS } from './ava.config.mjs';

export default { ...base, files: SWEEPS };
