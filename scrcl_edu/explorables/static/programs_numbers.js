// A cell as a mixture of programs: what is asked of the genes, times the programs, scaled to length 1.
import { unitRow } from "./numbers.js";

/** How much of each program comes together: rest + sum over genes of asked times loading. */
export function mixture(asked, programs, rest) {
  return rest.map((value, k) => asked.reduce((sum, amount, g) => sum + amount * programs[g][k], value));
}

/** The refined cell: the mixture as a unit row. */
export function refined(asked, programs, rest) {
  return unitRow(mixture(asked, programs, rest));
}

/** Numbers of the cells nearest to a direction by cosine, among unit rows, from near to far, without one of them. */
export function nearestCells(direction, rows, many, without) {
  const along = rows.map((row) => row.reduce((sum, value, k) => sum + value * direction[k], 0));
  const order = [...rows.keys()].filter((i) => i !== without);
  return order.sort((a, b) => along[b] - along[a] || a - b).slice(0, many);
}

/** Where a row lies in a plane of two directions around a center. */
export function inPlane(row, center, plane) {
  return plane.map((axis) => axis.reduce((sum, value, k) => sum + value * (row[k] - center[k]), 0));
}
