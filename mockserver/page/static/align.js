// Two sequences side by side: what both have stands in one row, what one lacks leaves a gap.

const MOST_CELLS = 2_000_000;

function table(one, other) {
  const wide = other.length + 1;
  const lengths = new Uint32Array((one.length + 1) * wide);
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      lengths[i * wide + j] = one[i] === other[j]
        ? lengths[(i + 1) * wide + j + 1] + 1
        : Math.max(lengths[(i + 1) * wide + j], lengths[i * wide + j + 1]);
    }
  }
  return (i, j) => lengths[i * wide + j];
}

// Pairs of places, -1 where one side has nothing; by the longest common subsequence, or place by place where too long.
export function aligned(one, other) {
  const rows = [];
  let [i, j] = [0, 0];
  if (one.length * other.length > MOST_CELLS) {
    for (let at = 0; at < Math.max(one.length, other.length); at += 1) {
      rows.push([at < one.length ? at : -1, at < other.length ? at : -1]);
    }
    return rows;
  }
  const length = table(one, other);
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) rows.push([i++, j++]);
    else if (j >= other.length || (i < one.length && length(i + 1, j) >= length(i, j + 1))) rows.push([i++, -1]);
    else rows.push([-1, j++]);
  }
  return rows;
}

const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|[\p{L}\p{N}_.-]+|./gsu;

// Two texts as runs of [text, whether the other has it too].
export function textRuns(one, other) {
  const [mine, its] = [one.match(TOKEN) || [], other.match(TOKEN) || []];
  const runs = [[], []];
  const add = (side, text, common) => {
    const last = runs[side].at(-1);
    if (last && last[1] === common) last[0] += text;
    else runs[side].push([text, common]);
  };
  for (const [i, j] of aligned(mine, its)) {
    const common = i >= 0 && j >= 0 && mine[i] === its[j];
    if (i >= 0) add(0, mine[i], common);
    if (j >= 0) add(1, its[j], common);
  }
  return runs;
}
