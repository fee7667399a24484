// Looking after a link when a page comes back, without a network.
import { expect, test } from "vitest";
import { LinkCheck, PATIENCE } from "./LinkCheck";

function checking(up: boolean, answer: () => Promise<boolean>) {
  const counted = { asked: 0, renewed: 0, now: 0 };
  const link = {
    up: () => up,
    answers: () => {
      counted.asked += 1;
      return answer();
    },
    renew: () => {
      counted.renewed += 1;
    },
  };
  return { counted, check: new LinkCheck(link, () => counted.now) };
}

test("a link that answers stays", async () => {
  const { counted, check } = checking(true, async () => true);
  await check.check();
  expect(counted).toMatchObject({ asked: 1, renewed: 0 });
});

test("a link that does not answer, and one that is down, are renewed at once", async () => {
  const silent = checking(true, async () => false);
  await silent.check.check();
  expect(silent.counted).toMatchObject({ asked: 1, renewed: 1 });
  const down = checking(false, async () => true);
  await down.check.check();
  expect(down.counted).toMatchObject({ asked: 0, renewed: 1 });
});

test("several signs of a return are one question, and a new link is given its time", async () => {
  let answer: (lives: boolean) => void = () => undefined;
  const { counted, check } = checking(true, () => new Promise((resolve) => (answer = resolve)));
  const first = check.check();
  await check.check();
  answer(false);
  await first;
  await check.check();
  expect(counted).toMatchObject({ asked: 1, renewed: 1 });
  counted.now += PATIENCE;
  const later = check.check();
  answer(true);
  await later;
  expect(counted).toMatchObject({ asked: 2, renewed: 1 });
});
