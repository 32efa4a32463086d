import type { Scene } from '../scene';
import { demo } from './demo';
import { gradient } from './gradient';
import { text } from './text';
import { texture } from './texture';
import { triangles } from './triangles';

export const SCENES: readonly Scene[] = [demo, gradient, text, texture, triangles];
