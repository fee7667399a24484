/** What the page offers is what the server does: no more, and in its own figures. */
import { expect, test } from "vitest";
import { party } from "./party";

const bare = party({ ROOMDROP_STORE__URL: "none", ROOMDROP_FETCH__ENABLED: "false" });
const brief = party({ ROOMDROP_STORE__LIFETIME: "90m" });

test("where the server keeps nothing and fetches nothing, neither is offered", async () => {
  const { ada } = await bare.meet();
  await ada.stage(await bare.files.file("a.txt", 10));
  await ada.page.getByTestId("tray").waitFor();
  expect(await ada.page.getByTestId("keep").count()).toBe(0);
  await ada.page.getByTestId("attach").click();
  await ada.page.getByTestId("choose-folder").waitFor();
  expect(await ada.page.getByTestId("from-link").count()).toBe(0);
});

test("a copy is promised for as long as the server keeps it", async () => {
  const { ada } = await brief.meet();
  await ada.stage(await brief.files.file("b.txt", 10));
  await ada.page.getByTestId("tray").getByText("For 90 minutes, also after you leave.").waitFor();
  await ada.page.getByTestId("attach").click();
  await ada.page.getByTestId("from-link").waitFor();
});
