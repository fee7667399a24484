/** Before anything is sent: what was given waits in the tray, and goes to whom it is meant for. */
import { expect, test } from "vitest";
import { party } from "./party";

const here = party();

test("what is for several members is seen by them, and by no one else", async () => {
  const { ada, bo, room } = await here.meet();
  const cy = await (await here.person("Cy")).enter(room);
  const di = await (await here.person("Di")).enter(room);
  await ada.stage(await here.files.file("for two.txt", 10));
  for (const name of ["Bo", "Cy"]) {
    await ada.page.locator(`[data-testid=to-member][data-name=${name}]`).click();
  }
  await ada.send();
  await ada.stage(await here.files.file("for all.txt", 10));
  await ada.page.getByTestId("to-everyone").click();
  await ada.send();
  for (const one of [bo, cy, di]) await one.reads("for all.txt", "offered to you");
  for (const one of [bo, cy]) await one.reads("for two.txt", "offered to you");
  expect(await di.transfer("for two.txt").count()).toBe(0);
});

test("what was dropped on the front page waits for a room", async () => {
  const ada = await here.person("Ada");
  await ada.page.goto(ada.proxy.url);
  const data = await ada.page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(1000)], "early.bin"));
    return data;
  });
  await ada.page.getByTestId("make-room").dispatchEvent("drop", { dataTransfer: data });
  await ada.page.getByTestId("ready").filter({ hasText: "1 file is ready" }).waitFor();
  await ada.page.getByTestId("make-room").click();
  await ada.page.locator("[data-testid=staged][data-name='early.bin']").waitFor();
  await ada.send();
  await ada.reads("early.bin", "waiting for someone to accept");
});
