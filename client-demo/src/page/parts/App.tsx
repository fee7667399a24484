/** Which page is shown. */
import { route } from "../store/store";
import { FrontPage } from "./FrontPage";
import { Problems } from "./Problems";
import { RoomPage } from "./RoomPage";

export function App() {
  const here = route.value;
  return (
    <>
      {here.page === "front" ? <FrontPage /> : <RoomPage key={here.room} room={here.room} />}
      <Problems />
    </>
  );
}
