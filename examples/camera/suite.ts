import { patternByte } from 'dmabench/devices';
import { boundBy } from 'dmabench/machine';
import { definePlugin } from 'dmabench/plugin';
import { type Case, withBuffer } from 'dmabench/suite';
import { cameraDriver } from './driver';

const everyFrame: Case = {
  name: 'every_frame_is_shown',
  run: t => {
    const film = t.need(boundBy(t.machine, cameraDriver)[0], 'a camera');
    withBuffer(t, 512, buffer => {
      const show = (frame: number): void => {
        const byte = t.machine.kernel.cpu.load8(buffer);
        t.equal(byte, patternByte(frame, 0), `the first byte of frame ${frame}`);
      };
      t.equal(film(buffer, 512, show), 0, 'the result of filming');
    });
  },
};

export default definePlugin({
  drivers: [cameraDriver],
  suites: [{ name: 'camera', summary: 'what is shown is what was filmed', cases: [everyFrame] }],
});
