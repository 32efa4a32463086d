import { bit, defineRegisters, field } from '../../../base/types/registers';
import { TOKEN } from './command-stream';

/**
 * States of a Vivante GC that its front end takes itself: written by LOAD_STATE at these byte offsets, seen
 * by nobody. Those of the engines are in sheets of their own. Facts: etna_viv rnndb/state.xml, state_hi.xml.
 *
 * MMUV2_CONFIGURATION: a field whose mask bit is set stays as it is. FLUSH forgets all translations at once;
 * who has fetched through one already is not called back. MMUV2_SAFE_ADDRESS is taken once after a reset.
 *
 * EVENT raises an interrupt: FROM_FE when the front end comes to it, FROM_PE when all engines have done
 * what they were told before. SEMAPHORE_TOKEN arms a semaphore in the engine TO; STALL_TOKEN, as the command
 * STALL, waits in FROM until TO has come to it: with FROM = FE the front end waits. FLUSH_CACHE writes back
 * and empties caches, each after the work that its engine had before.
 *
 * X_AS_SELECT (an extension): from here on all engines and the front end are in this address space.
 */
export const GC_STATES = defineRegisters({
  name: 'vivante-states',
  size: 0x4_0000,
  registers: {
    MMUV2_SAFE_ADDRESS: { at: 0x0180, access: 'wo', note: '64 bytes from here on' },
    MMUV2_CONFIGURATION: {
      at: 0x0184,
      access: 'wo',
      fields: {
        MODE: bit(0),
        MODE_MASK: bit(3),
        FLUSH: bit(4),
        FLUSH_MASK: bit(7),
        ADDRESS_MASK: bit(8),
        ADDRESS: field(10, 22),
      },
      note: 'ADDRESS: bits 31:10 of the master table',
    },
    PIPE_SELECT: { at: 0x3800, access: 'wo', fields: { PIPE: bit(0) }, note: '0: 3D, 1: 2D' },
    EVENT: {
      at: 0x3804,
      access: 'wo',
      fields: {
        EVENT_ID: field(0, 5),
        FROM_FE: bit(5),
        FROM_PE: bit(6),
        FROM_BLT: bit(7).unimplemented(),
        SOURCE: field(8, 5).unimplemented(),
      },
    },
    SEMAPHORE_TOKEN: { at: 0x3808, access: 'wo', fields: TOKEN },
    FLUSH_CACHE: {
      at: 0x380c,
      access: 'wo',
      fields: {
        DEPTH: bit(0),
        COLOR: bit(1),
        TEXTURE: bit(2),
        PE2D: bit(3),
        TEXTUREVS: bit(4),
        SHADER_L1: bit(5),
        SHADER_L2: bit(6),
      },
    },
    FLUSH_MMU: {
      at: 0x3810,
      access: 'wo',
      fields: {
        FLUSH_FEMMU: bit(0),
        FLUSH_UNK1: bit(1),
        FLUSH_UNK2: bit(2),
        FLUSH_PEMMU: bit(3),
        FLUSH_UNK4: bit(4),
      },
      note: 'MMUv1',
    },
    STALL_TOKEN: { at: 0x3c00, access: 'wo', fields: TOKEN },
    X_AS_SELECT: { at: 0x3e00, access: 'wo', fields: { INDEX: field(0, 2) } },
  },
  notModelled: [
    'states that no sheet has: the front end stops',
    'master tables of 1 KiB, and pages of other sizes than 4 KiB',
    'one translation cache for each client: FLUSH_MMU flushes all, whichever bits are set',
    'depth and shader caches: FLUSH_CACHE of them does nothing',
    'stalls of other units than the front end',
  ],
});
