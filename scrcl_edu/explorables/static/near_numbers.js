// Near against everyone: the divergences of all pairs, and the three sums that give a row of them without any pair.
import { logSoftmax } from "./numbers.js";

const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);

/** What the loss reads of one view: rows q, their logarithms, and h = q . log q of each. */
export function distributions(e, temperature) {
  const log = e.map((row) => logSoftmax(row, temperature));
  const q = log.map((row) => row.map(Math.exp));
  return { q, log, h: q.map((row, i) => dot(row, log[i])) };
}

/** D: symmetric divergence of each cell in view 1 to each cell in view 2. */
export function divergences(one, two) {
  return one.q.map((q, i) => two.q.map((other, j) => one.h[i] + two.h[j] - dot(q, two.log[j]) - dot(one.log[i], other)));
}

/** The sums over all cells of view 2 that every row shares. */
export function sumsOver(two) {
  const columns = (rows) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0));
  return { n: two.h.length, h: two.h.reduce((a, b) => a + b), log: columns(two.log), q: columns(two.q) };
}

/** The four parts of a row sum of D, from the sums alone; added up they are the row sum. */
export function rowBySums(one, sums, i) {
  return [sums.n * one.h[i], sums.h, -dot(one.q[i], sums.log), -dot(one.log[i], sums.q)];
}

/** For each cell the mean D to itself and its neighbors, the mean D to all others, and the ratio. */
export function nearAndOthers(D, neighbors) {
  return D.map((row, i) => {
    const near = [i, ...neighbors[i]].reduce((sum, j) => sum + row[j], 0) / (neighbors[i].length + 1);
    const others = (row.reduce((a, b) => a + b, 0) - row[i]) / (row.length - 1);
    return { near, others, ratio: near / others };
  });
}

/** Products of two numbers that all pairs take, and that the sums take, for some cells, hidden units and edges a cell. */
export function costs(n, hidden, edges) {
  return { pairs: 2 * n * n * hidden, sums: (4 + 2 * edges) * n * hidden };
}
