/** Whether what this member offers is accepted by itself from now on. */
import { befriend, friends, isFriend, unfriend } from "../../hands/friends";
import { nameOf, people } from "../../store/here";
import { route } from "../../store/route";
import { words } from "../../words";

export function AlwaysFrom({ member }: { member: string }) {
  const here = route.value;
  if (here.page !== "room" || !people.value.some(({ id }) => id === member)) return null;
  const { room } = here;
  return (
    <label class="always quiet">
      <input
        type="checkbox"
        data-testid="always"
        checked={friends.value.length > 0 && isFriend(room, member)}
        onChange={(event) => (event.currentTarget.checked ? befriend(room, member) : unfriend(room, member))}
      />
      <span>{words.value.room.alwaysFrom(nameOf(member))}</span>
    </label>
  );
}
