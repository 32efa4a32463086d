/** A curve of a plot; points are above zero on both axes. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Beside the last point. */
  readonly note: string;
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

const WIDTH = 760;
const HEIGHT = 460;
const LEFT = 84;
const RIGHT = 30;
const TOP = 74;
const BOTTOM = 62;

const TEXT =
  'font-family="Helvetica, Arial, sans-serif" fill="#24292f" stroke="#ffffff" stroke-width="4" paint-order="stroke"';

/** The powers of 10 around a range. */
const decades = (values: readonly number[]): readonly number[] => {
  const first = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const last = Math.ceil(Math.log10(Math.max(...values)) - 0.05);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
};

const SUPERSCRIPTS = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
const power = (exponent: number): string => {
  if (exponent >= 0 && exponent <= 3) return `${10 ** exponent}`;
  return `10${exponent < 0 ? '⁻' : ''}${SUPERSCRIPTS[Math.abs(exponent)] ?? Math.abs(exponent)}`;
};

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

const text = (x: number, y: number, what: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${TEXT} font-size="13" ${more}>${escape(what)}</text>`;

/** A plot with two logarithmic axes, as the text of an SVG file. */
export const logLogPlot = ({ title, subtitle, x, y, series }: Plot): string => {
  const all = series.flatMap(({ points }) => points);
  const xs = decades(all.map(([value]) => value));
  const ys = decades(all.map(([, value]) => value));
  const scale = (ticks: readonly number[], from: number, to: number) => (exponent: number) => {
    const first = ticks[0] ?? 0;
    const span = Math.max(1, (ticks.at(-1) ?? 0) - first);
    return from + ((exponent - first) / span) * (to - from);
  };
  const atX = scale(xs, LEFT, WIDTH - RIGHT);
  const atY = scale(ys, HEIGHT - BOTTOM, TOP);
  const lines = [
    ...xs.map(tick => gridLine(atX(tick), TOP, atX(tick), HEIGHT - BOTTOM)),
    ...ys.map(tick => gridLine(LEFT, atY(tick), WIDTH - RIGHT, atY(tick))),
    ...xs.map(tick => text(atX(tick), HEIGHT - BOTTOM + 20, power(tick), 'text-anchor="middle"')),
    ...ys.map(tick => text(LEFT - 8, atY(tick) + 4, power(tick), 'text-anchor="end"')),
    text(LEFT, 28, title, 'font-weight="bold" style="font-size:17px"'),
    text(LEFT, 50, subtitle, 'fill-opacity="0.75"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, x, 'text-anchor="middle"'),
    text(
      0,
      0,
      y,
      `text-anchor="middle" transform="translate(22 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"`,
    ),
    ...series.map(each => curve(each, atX, atY)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${lines.join('\n')}
</svg>
`;
};

const gridLine = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#d0d7de"/>`;

const curve = (
  { name, colour, points, note }: Series,
  atX: (exponent: number) => number,
  atY: (exponent: number) => number,
): string => {
  const places = points.map(([x, y]) => [atX(Math.log10(x)), atY(Math.log10(y))] as const);
  const path = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const dots = places.map(
    ([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${colour}"/>`,
  );
  const [endX, endY] = places.at(-1) ?? [0, 0];
  // Where a name would leave the picture it stands before the point.
  const isRight = endX > WIDTH - 260;
  const x = isRight ? endX - 12 : endX + 12;
  const anchor = `text-anchor="${isRight ? 'end' : 'start'}"`;
  const y = isRight ? endY - 26 : endY;
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...dots,
    text(x, y, name, `${anchor} font-weight="bold" style="fill:${colour}"`),
    text(x, y + 16, note, anchor),
  ].join('\n');
};
