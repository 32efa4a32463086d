/** A curve; its points go from left to right. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a plot shows, both axes from 0 or the first x on, in equal steps. */
export interface LinePlot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
}

const WIDTH = 860;
const HEIGHT = 440;
const LEFT = 70;
const RIGHT = 190;
const TOP = 74;
const BOTTOM = 58;
const FONT = 'font-family="Helvetica, Arial, sans-serif" fill="#24292f" font-size="13"';
const COLOURS = ['#cf222e', '#b35900', '#8250df', '#0550ae', '#116329', '#57606a', '#bf3989'];
/** Between two names beside their curves. */
const LINE = 17;

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

const text = (x: number, y: number, what: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${FONT} ${more}>${escape(what)}</text>`;

const line = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#d0d7de"/>`;

/** 1, 2 or 5 times a power of ten, so that there are four to ten of them up to `most`. */
const stepOf = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9) / 4));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => most / step <= 8) ?? most;
};

/** A plot as the text of an SVG file; each x that a curve has is marked on its axis. */
export const linePlot = ({ title, subtitle, x, y, curves }: LinePlot): string => {
  const points = curves.flatMap(curve => curve.points);
  const xs = [...new Set(points.map(([value]) => value))].sort((a, b) => a - b);
  const [first = 0, last = 1] = [xs[0], xs.at(-1)];
  const most = Math.max(...points.map(([, value]) => value), 1);
  const step = stepOf(most);
  const ys = Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
  const top = ys.at(-1) ?? 1;
  const atX = (value: number): number =>
    LEFT + ((value - first) / Math.max(1, last - first)) * (WIDTH - LEFT - RIGHT);
  const atY = (value: number): number => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const parts = [
    ...xs.map(value => line(atX(value), TOP, atX(value), HEIGHT - BOTTOM)),
    ...ys.map(value => line(LEFT, atY(value), WIDTH - RIGHT, atY(value))),
    ...xs.map(value => text(atX(value), HEIGHT - BOTTOM + 20, `${value}`, 'text-anchor="middle"')),
    ...ys.map(value => text(LEFT - 8, atY(value) + 4, `${value}`, 'text-anchor="end"')),
    text(LEFT, 28, title, 'font-weight="bold" style="font-size:17px"'),
    text(LEFT, 50, subtitle),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x, 'text-anchor="middle"'),
    text(
      0,
      0,
      y,
      `text-anchor="middle" transform="translate(20 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"`,
    ),
    ...curves.map(({ points: all }, i) => {
      const path = all.map(([px, py]) => `${atX(px).toFixed(1)},${atY(py).toFixed(1)}`).join(' ');
      return `<polyline points="${path}" fill="none" stroke="${colour(i)}" stroke-width="2"/>`;
    }),
    ...names(curves, atY),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
};

const colour = (i: number): string => COLOURS[i % COLOURS.length] ?? '#24292f';

/** Each curve's name beside its end, moved down where another stands there. */
const names = (curves: readonly Curve[], atY: (value: number) => number): string[] => {
  const ends = curves.map(({ name, points }, i) => ({ name, i, y: atY(points.at(-1)?.[1] ?? 0) }));
  let free = TOP;
  return ends
    .sort((a, b) => a.y - b.y)
    .map(({ name, i, y }) => {
      const place = Math.max(y, free);
      free = place + LINE;
      return text(
        WIDTH - RIGHT + 10,
        place + 4,
        name,
        `style="fill:${colour(i)}" font-weight="bold"`,
      );
    });
};
