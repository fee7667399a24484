/** Before anything is sent: what was chosen, dropped or pasted waits in the tray, and goes to whom it is meant for. */
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import type { Person } from "./Person";
import { party } from "./party";

const here = party();

/** What the tray says it holds. */
function total(person: Person): Promise<string | null> {
  return person.page.getByTestId("tray-total").textContent();
}

/** Pastes into the page, and not into a field. */
async function paste(person: Person, text: string, file?: string): Promise<void> {
  await person.page.evaluate(
    ([text, file]) => {
      const data = new DataTransfer();
      if (text) data.setData("text/plain", text);
      if (file) data.items.add(new File(["pasted"], file, { type: "text/plain" }));
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    },
    [text, file] as const,
  );
}

test("what is chosen waits until it is sent, and may be taken out again", async () => {
  const { ada, bo } = await here.meet();
  const paths = await Promise.all([1, 2, 3].map((one) => here.files.file(`${one}.bin`, one * MIB)));
  await ada.stage(...paths);
  expect(await total(ada)).toMatch(/^3 files, 6\.3\sMB$/);
  await ada.page.locator("[data-testid=staged][data-name='2.bin']").getByTestId("remove").click();
  await expect.poll(() => total(ada)).toMatch(/^2 files, 4\.2\sMB$/);
  await ada.shoot("tray");
  await ada.page.getByTestId("clear").click();
  await ada.page.getByTestId("tray").waitFor({ state: "detached" });
  await ada.offer(...paths.slice(0, 1));
  await bo.reads("1.bin", "offered to you");
  expect(await bo.page.getByTestId("drop").count()).toBe(1);
});

test("what is pasted anywhere is taken: files into the tray, text into the field", async () => {
  const { ada, bo } = await here.meet();
  await paste(ada, "", "pasted.txt");
  await ada.page.locator("[data-testid=staged][data-name='pasted.txt']").waitFor();
  await paste(ada, "a word with it");
  expect(await ada.page.getByTestId("note").inputValue()).toBe("a word with it");
  await ada.send();
  await bo.reads("pasted.txt", "offered to you");
  await bo.page.getByTestId("drop-note").filter({ hasText: "a word with it" }).waitFor();
});

test("text that is too long to be said is offered as a file", async () => {
  const { ada } = await here.meet();
  await paste(ada, "long ".repeat(1000));
  await ada.page.locator("[data-testid=staged][data-name$='.txt']").waitFor();
});

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
  const path = await here.files.file("early.bin", 1000);
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
  await ada.page.getByTestId("clear").click();
  await ada.offer(path);
  await ada.reads("early.bin", "waiting for someone to accept");
  expect(await sha256(path)).toHaveLength(64);
});
