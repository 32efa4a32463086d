/** What is measured in turn, so that a busy moment of the machine hits all alike. */
export const ROUNDS = 3;
/** Once unmeasured, and the loops are compiled. */
export const WARM = 2_000_000;

/** Millions of `times` per second of CPU time that `body` takes. */
export const millionsPerSecond = (times: number, body: () => void): number => {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return times / Math.max(1, user + system);
};

/** One rate as a share of another, both measured in this run. */
export const ratio = (rate: number, of: number): string => `${(rate / of).toFixed(2)}x`;

/** Columns that line up, the first to the left, numbers to the right. */
export const printTable = (
  header: readonly string[],
  rows: readonly (readonly string[])[],
): void => {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map(row => row[i]?.length ?? 0)),
  );
  for (const row of [header, ...rows]) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    console.log(`  ${cells.join('  ')}`);
  }
  console.log();
};
