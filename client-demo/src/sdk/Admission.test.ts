// Who may move at once, decided without a link.
import { expect, test } from "vitest";
import { Admission, LARGE_AT_ONCE, SMALL_AT_ONCE, SMALL_SIZE } from "./Admission";
import { KIB, MIB } from "./ChunkSize";

const large = { size: 100 * MIB };

function waiting(sizes: (number | null)[]): Admission<{ size: number | null }> {
  const admission = new Admission<{ size: number | null }>();
  for (const size of sizes) admission.add({ size });
  return admission;
}

test("four large ones move at once, and those of unknown size count as large", () => {
  const admission = waiting([MIB, null, MIB, null, MIB]);
  const first = admission.admit([]);
  expect(first).toHaveLength(LARGE_AT_ONCE);
  expect(admission.admit(first)).toEqual([]);
  expect(admission.admit(first.slice(1))).toHaveLength(1);
});

test("many small ones move at once, past large ones that have to wait", () => {
  const admission = waiting([...Array<number>(10).fill(MIB), ...Array<number>(100).fill(2 * KIB)]);
  const moving = admission.admit(Array(LARGE_AT_ONCE).fill(large));
  expect(moving.map(({ size }) => size)).toEqual(Array(SMALL_AT_ONCE).fill(2 * KIB));
});

test("small ones have a budget of bytes together", () => {
  const moving = waiting(Array<number>(100).fill(SMALL_SIZE)).admit([]);
  expect(moving).toHaveLength((8 * MIB) / SMALL_SIZE);
});

test("who waits no more is not admitted", () => {
  const admission = new Admission<{ size: number }>();
  const one = { size: 1 };
  admission.add(one);
  admission.delete(one);
  expect(admission.admit([])).toEqual([]);
});
