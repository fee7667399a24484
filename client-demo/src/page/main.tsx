/** Where the page begins. */
import { render } from "preact";
import { beginFriends } from "./hands/friends";
import { beginRecent } from "./hands/recent";
import { beginSelf } from "./hands/self";
import { beginTheme } from "./hands/theme";
import { ready } from "./hands/worker";
import { App } from "./parts/App";
import { beginOffering } from "./store/offering";
import { beginReceiving } from "./store/receiving";
import { beginRoute } from "./store/route";
import { beginSummary } from "./store/summary";
import { beginTimeline } from "./store/timeline";
import { beginWords } from "./words";

const root = document.getElementById("page");
if (root) void begin(root);

async function begin(root: HTMLElement): Promise<void> {
  beginTheme();
  beginSelf();
  beginRecent();
  beginFriends();
  await beginWords();
  beginTimeline();
  beginRoute();
  beginSummary();
  beginOffering();
  beginReceiving();
  render(<App />, root);
  void ready(); // installed before it is needed: for sealed downloads, and for what other programs share
}
