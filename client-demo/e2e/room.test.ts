/** The room itself: who is here, what is said, and a page that anyone can use. */
import { expect, test } from "vitest";
import type { Person } from "./Person";
import { party } from "./party";

const here = party();

async function membersOf(person: Person, ...names: string[]): Promise<void> {
  await expect
    .poll(() =>
      person.page
        .getByTestId("member")
        .evaluateAll((list) => list.map((one) => one.getAttribute("data-name"))),
    )
    .toEqual(expect.arrayContaining(names));
}

test("a room is made with a name that can be read aloud, and entered by its address", async () => {
  const ada = await here.person("Ada");
  await ada.page.goto(ada.proxy.url);
  await ada.page.getByTestId("make-room").waitFor();
  await ada.shoot("front");
  await ada.page.getByTestId("make-room").click();
  await ada.connected("joined");
  const room = (await ada.page.getByTestId("room-id").textContent()) ?? "";
  expect(room).toMatch(/^[a-z]+-[a-z]+-\d+$/);
  expect(new URL(ada.page.url()).pathname).toBe(`/rooms/${room}`);
  const bo = await here.person("Bo");
  await bo.page.goto(`${bo.proxy.url}/rooms/${room}`);
  await bo.connected("joined");
  await expect.poll(() => ada.page.getByTestId("member").count()).toBe(2);
});

test("members see each other come and go", async () => {
  const { ada, bo } = await here.meet();
  await membersOf(ada, "Ada", "Bo");
  await membersOf(bo, "Ada", "Bo");
  await bo.leaveRoom();
  await expect.poll(() => ada.page.getByTestId("member").count()).toBe(1);
});

test("a new name is seen by everyone", async () => {
  const { ada, bo } = await here.meet();
  await bo.page.getByTestId("my-name").fill("Bob <b>");
  await bo.page.getByTestId("my-name").press("Enter");
  await membersOf(ada, "Ada", "Bob <b>");
});

test("going back leaves the room, and going forward enters it again", async () => {
  const { ada, bo } = await here.meet();
  await bo.page.goBack();
  await bo.page.getByTestId("make-room").waitFor();
  await expect.poll(() => ada.page.getByTestId("member").count()).toBe(1);
  await bo.page.goForward();
  await bo.connected("joined");
  await membersOf(ada, "Ada", "Bo");
});

test("messages are shown to everyone, as text and nothing else", async () => {
  const { ada, bo } = await here.meet();
  const text = `<img src=x onerror="document.title='owned'"> & hello`;
  await ada.page.getByTestId("say").fill(text);
  await ada.page.getByTestId("say").press("Enter");
  for (const one of [ada, bo]) {
    await one.page.getByTestId("message").filter({ hasText: text }).waitFor();
    expect(await one.page.locator("img").count()).toBe(0);
    expect(await one.page.title()).not.toBe("owned");
  }
  await bo.page.reload();
  await bo.page.getByTestId("message").filter({ hasText: text }).waitFor();
});

test("a file is offered, accepted and saved with the keyboard alone", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(await here.files.file("by key.txt", 100));
  await bo.transfer("by key.txt").waitFor();
  await bo.page.bringToFront(); // keys go to the tab in front
  await bo.transfer("by key.txt").getByTestId("accept").focus();
  await bo.page.keyboard.press("Enter");
  await bo.download();
  // Without the browser's own picker, which nothing but a person can use; the page then has one of its own.
  await bo.page.evaluate(() => Reflect.deleteProperty(window, "showOpenFilePicker"));
  // Asked for well before the key is pressed, or the browser may open a window of its own.
  const choosing = bo.page.waitForEvent("filechooser");
  await bo.page.getByTestId("attach").focus();
  await bo.page.keyboard.press("Enter");
  await bo.page.getByTestId("choose").press("Enter");
  const chooser = await choosing;
  await chooser.setFiles(await here.files.file("back.txt", 5));
  await bo.page.getByTestId("note").press("Enter");
  await ada.reads("back.txt", "offered to you");
});

test("files that are dropped on the page are offered", async () => {
  const { ada, bo } = await here.meet();
  const data = await ada.page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
    return transfer;
  });
  const over = ada.page.getByTestId("overlay");
  await ada.page.getByTestId("timeline").dispatchEvent("dragenter", { dataTransfer: data });
  await over.waitFor();
  await ada.page.getByTestId("timeline").dispatchEvent("drop", { dataTransfer: data });
  await over.waitFor({ state: "detached" });
  await ada.page.locator("[data-testid=staged][data-name='dropped.txt']").waitFor();
  await ada.send();
  await bo.reads("dropped.txt", "offered to you");
});

test("a room with a passphrase lets in who knows it", async () => {
  const ada = await here.person("Ada");
  await ada.page.goto(ada.proxy.url);
  await ada.page.getByText("Add a passphrase").click();
  await ada.page.getByTestId("make-passphrase").fill("open sesame");
  await ada.page.getByTestId("make-room").click();
  await ada.connected("joined");
  const room = (await ada.page.getByTestId("room-id").textContent()) ?? "";
  const bo = await here.person("Bo");
  await bo.page.goto(`${bo.proxy.url}/rooms/${room}`);
  await bo.page.getByTestId("passphrase").fill("wrong");
  await bo.page.getByTestId("try-passphrase").click();
  await bo.page.getByTestId("refused").waitFor();
  await bo.page.getByTestId("passphrase").fill("open sesame");
  await bo.page.getByTestId("try-passphrase").click();
  await bo.connected("joined");
  await ada.page.reload();
  await ada.connected("joined");
});

test("on a phone nothing is cut off, in the dark neither", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(await here.files.file(`${"a very long name ".repeat(8)}.txt`, 10));
  await bo.page.setViewportSize({ width: 360, height: 700 });
  await bo.page.emulateMedia({ colorScheme: "dark" });
  await bo.page.getByTestId("transfer").waitFor();
  await bo.shoot("phone-dark");
  const [wide, window] = await bo.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(wide).toBeLessThanOrEqual(window ?? 0);
});
