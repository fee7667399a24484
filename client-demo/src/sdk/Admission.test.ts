// Who may begin, decided without a link.
import { expect, test } from "vitest";
import { Admission, LARGE, SMALL, SMALL_SIZE, STALLED } from "./Admission";
import { KIB, MIB } from "./ChunkSize";

type One = { size: number | null };

function waiting(...sizes: (number | null)[]): Admission<One> {
  const admission = new Admission<One>();
  for (const size of sizes) admission.add({ size });
  return admission;
}

const many = (size: number, count: number) => Array<number>(count).fill(size);

test("four large ones move at once, and those of unknown size count as large", () => {
  const admission = waiting(MIB, null, MIB, null, MIB, MIB);
  const first = admission.admit();
  expect(first).toHaveLength(LARGE.places);
  expect(admission.admit()).toEqual([]);
  for (const one of first.slice(0, 1)) admission.delete(one);
  expect(admission.admit()).toHaveLength(1);
});

test("many small ones move at once, past large ones that have to wait", () => {
  const admission = waiting(...many(MIB, 10), ...many(2 * KIB, 100));
  const small = admission.admit().filter(({ size }) => size === 2 * KIB);
  expect(small).toHaveLength(SMALL.places);
});

test("small ones have a budget of bytes together", () => {
  expect(waiting(...many(SMALL_SIZE, 100)).admit()).toHaveLength((8 * MIB) / SMALL_SIZE);
});

test("what somebody paused takes no place", () => {
  const admission = waiting(...many(MIB, 20));
  for (const one of admission.admit()) admission.stands(one, "resting");
  for (const one of admission.admit()) admission.stands(one, "resting");
  expect(admission.admit()).toHaveLength(LARGE.places);
});

test("while the source is away no more are begun than may soon move", () => {
  const admission = waiting(...many(2 * KIB, 2000));
  let begun = 0;
  for (let some = admission.admit(); some.length > 0; some = admission.admit()) {
    begun += some.length;
    for (const one of some) admission.stands(one, "stalled");
  }
  expect(begun).toBe(SMALL.places * STALLED);
});

test("who waits no more is not begun, and whose size changes gives back what it took", () => {
  const admission = waiting(...many(MIB, 4));
  const [one, ...others] = admission.admit();
  admission.add({ size: 1 });
  const late = { size: MIB };
  admission.add(late);
  admission.delete(late);
  if (one) one.size = 1;
  for (const each of [one, ...others]) if (each) admission.delete(each);
  expect(admission.admit()).toEqual([{ size: 1 }]);
  admission.add(late);
  expect(admission.admit()).toEqual([late]);
});
