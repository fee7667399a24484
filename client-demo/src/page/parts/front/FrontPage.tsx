/** The front page: a fresh room in one click, a code typed in, or a room where one was before. */
import type { ComponentChildren } from "preact";
import { trayTotal } from "../../hands/tray";
import { words } from "../../words";
import { Mark } from "../basics/Mark";
import { SelfEditor } from "../basics/SelfEditor";
import { LanguageChoice, ThemeChoice } from "../basics/Settings";
import { EnterRoom } from "./EnterRoom";
import { Install } from "./Install";
import { RecentRooms } from "./RecentRooms";
import { StartRoom } from "./StartRoom";

export function FrontPage() {
  const t = words.value;
  return (
    <div class="front">
      <header class="front-top">
        <Mark />
        <SelfEditor />
      </header>
      <main class="front-main">
        <h1 class="front-title">{t.tagline}</h1>
        <Ready />
        <div class="front-ways">
          <StartRoom />
          <EnterRoom />
        </div>
        <RecentRooms />
        <Facts />
      </main>
      <footer class="front-foot">
        <LanguageChoice />
        <ThemeChoice />
        <Install />
      </footer>
    </div>
  );
}

/** What another program has shared with the page waits for a room. */
function Ready() {
  const { files } = trayTotal.value;
  if (files === 0) return null;
  return (
    <Notice>
      <span data-testid="ready">{words.value.front.ready(files)}</span>
    </Notice>
  );
}

function Notice({ children }: { children: ComponentChildren }) {
  return (
    <p class="notice" role="status">
      {children}
    </p>
  );
}

function Facts() {
  return (
    <ul class="facts">
      {words.value.front.facts.map(({ title, words: sentence }) => (
        <li key={title}>
          <h2>{title}</h2>
          <p>{sentence}</p>
        </li>
      ))}
    </ul>
  );
}
