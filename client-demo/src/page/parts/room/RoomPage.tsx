/** A room: its bar, what was said and offered, who is here, and where one says and offers something oneself. */
import { useEffect } from "preact/hooks";
import { roomState } from "../../store/here";
import { listenForKeys } from "../../store/keys";
import { wide } from "../basics/wide";
import { Composer } from "../composer/Composer";
import { Timeline } from "../timeline/Timeline";
import { Banner } from "./Banner";
import { Locked } from "./Locked";
import { InvitePanel } from "./lazy";
import { PeoplePanel, PeopleRow } from "./People";
import { Refused } from "./Refused";
import { TopBar } from "./TopBar";

export function RoomPage({ room }: { room: string }) {
  const refused = roomState.value === "refused";
  useEffect(listenForKeys, []);
  return (
    <div class="room">
      <TopBar room={room} />
      {refused ? (
        <Refused />
      ) : (
        <>
          <PeopleRow />
          <main class="room-main">
            <Banner />
            <Locked />
            <Timeline />
            <Composer />
          </main>
          <aside class="room-side">
            <PeoplePanel room={room} />
            {wide.value && (
              <section class="panel">
                <InvitePanel />
              </section>
            )}
          </aside>
        </>
      )}
    </div>
  );
}
