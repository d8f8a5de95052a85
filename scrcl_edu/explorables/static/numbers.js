// What explorables compute again, as the package computes it. No drawing here; tests compare it with the package.

/** Neighbors of each cell by the union of its k - 1 nearest others and of those that chose it: { start, other }. */
export function unionGraph(nearest, k) {
  const sets = nearest.map(() => new Set());
  nearest.forEach((others, i) => {
    for (const j of others.slice(0, k - 1)) {
      sets[i].add(j);
      sets[j].add(i);
    }
  });
  const start = new Int32Array(sets.length + 1);
  sets.forEach((set_, i) => { start[i + 1] = start[i] + set_.size; });
  const other = new Int32Array(start[sets.length]);
  sets.forEach((set_, i) => other.set([...set_].sort((a, b) => a - b), start[i]));
  return { start, other };
}

/** S = D^-1/2 (A + I) D^-1/2 in rows: { start, other, weight }. */
export function smoother({ start, other }) {
  const n = start.length - 1;
  const degree = Float64Array.from({ length: n }, (_, i) => start[i + 1] - start[i] + 1);
  const rows = { start: new Int32Array(n + 1), other: [], weight: [] };
  for (let i = 0; i < n; i += 1) {
    for (const j of [i, ...other.subarray(start[i], start[i + 1])]) {
      rows.other.push(j);
      rows.weight.push(1 / Math.sqrt(degree[i] * degree[j]));
    }
    rows.start[i + 1] = rows.other.length;
  }
  return { start: rows.start, other: Int32Array.from(rows.other), weight: Float64Array.from(rows.weight) };
}

/** A sparse matrix times a dense one whose rows stand one after the other, `width` numbers each. */
export function product({ start, other, weight }, x, width) {
  const out = new Float64Array(x.length);
  for (let i = 0; i < start.length - 1; i += 1) {
    for (let at = start[i]; at < start[i + 1]; at += 1) {
      const [from, w] = [other[at] * width, weight[at]];
      for (let c = 0; c < width; c += 1) out[i * width + c] += w * x[from + c];
    }
  }
  return out;
}

/** Share of all squared differences from the mean that lies between groups. */
export function betweenShare(x, width, groups, nGroups) {
  const n = groups.length;
  const [mean, sums, sizes] = [new Float64Array(width), new Float64Array(nGroups * width), new Float64Array(nGroups)];
  for (let i = 0; i < n; i += 1) {
    sizes[groups[i]] += 1;
    for (let c = 0; c < width; c += 1) {
      mean[c] += x[i * width + c] / n;
      sums[groups[i] * width + c] += x[i * width + c];
    }
  }
  let [all, between] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    for (let c = 0; c < width; c += 1) {
      all += (x[i * width + c] - mean[c]) ** 2;
      between += (sums[groups[i] * width + c] / sizes[groups[i]] - mean[c]) ** 2;
    }
  }
  return between / all;
}

/** What a graph convolution multiplies with: entry [j][i] is 1 / sqrt(deg_i deg_j) for each edge [i, j], itself included. */
export function gcnOperator(n, edges) {
  const incoming = Array.from({ length: n }, (_, j) => Array.from({ length: n }, (_, i) => (i === j ? 1 : 0)));
  for (const [i, j] of edges) incoming[j][i] = 1;
  const degree = incoming.map((row) => row.reduce((a, b) => a + b));
  return incoming.map((row, j) => row.map((there, i) => there / Math.sqrt(degree[i] * degree[j])));
}

/** A dense matrix times a column. */
export function times(matrix, column) {
  return matrix.map((row) => row.reduce((sum, weight, i) => sum + weight * column[i], 0));
}

/** A row scaled to length 1. */
export function unitRow(row) {
  const length = Math.hypot(...row);
  return row.map((value) => (length > 0 ? value / length : value));
}

/** Logarithm of the softmax of some numbers at a temperature. */
export function logSoftmax(row, temperature) {
  const logits = row.map((value) => value / temperature);
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return logits.map((value) => value - log);
}

/** What each entry adds to KL(p1 || p2), given the logarithms of both. */
export function divergenceParts(log1, log2) {
  return log1.map((value, k) => Math.exp(value) * (value - log2[k]));
}

const total = (parts) => parts.reduce((a, b) => a + b, 0);

/** Distribution alignment of two views, rows of unit length: { overAll, within }. */
export function alignment(e1, e2, temperature) {
  const both = (a, b) => total(divergenceParts(a, b)) + total(divergenceParts(b, a));
  const overAll = both(logSoftmax(e1.flat(), temperature), logSoftmax(e2.flat(), temperature));
  const within = e1.map((row, i) => both(logSoftmax(row, temperature), logSoftmax(e2[i], temperature)) / 2);
  return { overAll, within: total(within) / e1.length };
}

/** Mean cosine of different cells, rows of unit length. */
export function meanCosine(e) {
  const sums = e[0].map((_, c) => e.reduce((sum, row) => sum + row[c], 0));
  const n = e.length;
  return (total(sums.map((value) => value * value)) - n) / (n * (n - 1));
}

/** For 0 to nSteps steps: how much of what a cell hears, the weights in its row of S^n, comes from its own group; the mean. */
export function heardFromOwn(S, groups, nGroups, nSteps) {
  const n = groups.length;
  let heard = new Float64Array(n * nGroups);
  groups.forEach((group, i) => { heard[i * nGroups + group] = 1; });
  const means = [];
  for (let step = 0; step <= nSteps; step += 1) {
    const shares = groups.map((group, i) => heard[i * nGroups + group] / total(Array.from(heard.subarray(i * nGroups, (i + 1) * nGroups))));
    means.push(total(shares) / n);
    heard = product(S, heard, nGroups);
  }
  return means;
}
