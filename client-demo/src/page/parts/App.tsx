/** Which page is shown. */
import { route } from "../store/route";
import { Problems } from "./basics/Problems";
import { DropOverlay } from "./composer/DropOverlay";
import { FrontPage } from "./front/FrontPage";
import { RoomPage } from "./room/RoomPage";

export function App() {
  const here = route.value;
  return (
    <>
      {here.page === "front" ? <FrontPage /> : <RoomPage key={here.room} room={here.room} />}
      <DropOverlay />
      <Problems />
    </>
  );
}
