/* `dmabench/devices`: data sheets and drivers of the devices that dmabench models itself. */

export { CopyEngineDevice, copyEngineDriver } from '../drivers/dma/copy-engine/driver';
export { COPY_ENGINE } from '../drivers/dma/copy-engine/regs';
export { TestMasterDevice, testMasterDriver } from '../drivers/misc/test-master/driver';
export {
  DESCRIPTOR,
  DESCRIPTOR_FLAGS,
  TEST_MASTER,
  patternByte,
} from '../drivers/misc/test-master/regs';
