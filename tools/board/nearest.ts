/** Names that somebody who typed `wanted` may have meant, the likeliest first, at most three. */
export const nearest = (wanted: string, names: readonly string[]): string[] => {
  // A name longer than any board's need not be compared with each.
  const asked = wanted.toLowerCase().slice(0, LONGEST);
  return names
    .map(name => ({ name, distance: distanceOf(asked, name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.ceil(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST)
    .map(({ name }) => name);
};

const LONGEST = 64;
const MOST = 3;

/** Characters to insert, delete or replace to come from one to the other; 1 for a part of it. */
const distanceOf = (a: string, b: string): number => {
  if (a.length >= 3 && a !== b && b.includes(a)) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};
