/** Who is in the room: a list with names where there is room for it, else a row of faces. */
import { useComputed } from "@preact/signals";
import { UserRoundCheck, UserRoundPlus } from "lucide";
import { befriend, friends, isFriend, unfriend } from "../../hands/friends";
import { others, type Person, people } from "../../store/here";
import { words } from "../../words";
import { Avatar } from "../basics/Avatar";
import { Icon } from "../basics/Icon";
import { SelfEditor } from "../basics/SelfEditor";

export function PeoplePanel({ room }: { room: string }) {
  const t = words.value.room;
  return (
    <section class="panel people" aria-labelledby="people-title">
      <header class="panel-top">
        <h2 id="people-title">{t.people}</h2>
        <span class="quiet">{t.here(people.value.length)}</span>
      </header>
      <ul data-testid="members">
        {people.value.map((person) => (
          <li
            key={person.id}
            class="person"
            data-testid="member"
            data-name={person.face.name}
            data-online={person.online}
          >
            {person.me ? <Me /> : <Other room={room} person={person} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Me() {
  return (
    <>
      <SelfEditor />
      <span class="tag">{words.value.room.yourself}</span>
    </>
  );
}

function Other({ room, person: { id, face, online } }: { room: string; person: Person }) {
  const t = words.value.room;
  const friend = useComputed(() => friends.value.length > 0 && isFriend(room, id));
  return (
    <>
      <Avatar face={face} online={online} />
      <span class="person-words">
        <span class="person-name wrap">{face.name}</span>
        {!online && <span class="quiet">{t.away}</span>}
      </span>
      <button
        class={`icon-button plain ${friend.value ? "pressed" : ""}`}
        type="button"
        data-testid="friend"
        title={t.alwaysFrom(face.name)}
        aria-label={t.alwaysFrom(face.name)}
        aria-pressed={friend.value}
        onClick={() => (friend.value ? unfriend(room, id) : befriend(room, id))}
      >
        <Icon node={friend.value ? UserRoundCheck : UserRoundPlus} />
      </button>
    </>
  );
}

export function PeopleRow() {
  const t = words.value.room;
  const list = others.value;
  if (list.length === 0) return null;
  return (
    <ul class="people-row" aria-label={t.people} data-testid="faces">
      {list.map(({ id, face, online }) => (
        <li key={id} class="people-face">
          <Avatar face={face} size="small" online={online} />
          <span class="people-face-name">{face.name}</span>
        </li>
      ))}
    </ul>
  );
}
