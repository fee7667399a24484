/** Who one is to others: a name that is edited where it stands, and a picture to choose. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { AVATARS, faceOf, self, setAvatar, setName, wireName } from "../../hands/self";
import { me } from "../../store/here";
import { words } from "../../words";
import { Avatar } from "./Avatar";

export function SelfEditor() {
  const { name, avatar } = self.value;
  const t = words.value.self;
  const picking = useSignal(false);
  const face = faceOf(wireName({ name, avatar }), me.value ?? name);
  return (
    <div class="self">
      <div class="self-row">
        <button
          class="self-avatar"
          type="button"
          data-testid="avatar"
          aria-label={t.pickAvatar}
          title={t.pickAvatar}
          aria-expanded={picking.value}
          onClick={() => {
            picking.value = !picking.value;
          }}
        >
          <Avatar face={face} />
        </button>
        <input
          class="self-name"
          data-testid="my-name"
          type="text"
          aria-label={t.label}
          maxLength={52}
          autocomplete="nickname"
          spellcheck={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
          }}
        />
      </div>
      {picking.value && (
        <AvatarGrid
          onDone={() => {
            picking.value = false;
          }}
        />
      )}
    </div>
  );
}

function AvatarGrid({ onDone }: { onDone: () => void }) {
  const t = words.value.self;
  const grid = useRef<HTMLFieldSetElement>(null);
  useEffect(() => grid.current?.querySelector<HTMLElement>("[aria-pressed=true]")?.focus(), []);
  const pick = (avatar: string) => {
    setAvatar(avatar);
    onDone();
  };
  return (
    <fieldset class="avatars" ref={grid} data-testid="avatars">
      <legend class="unseen">{t.avatar}</legend>
      {["", ...AVATARS].map((one) => (
        <button
          key={one}
          class="avatar-choice"
          type="button"
          aria-pressed={self.value.avatar === one}
          aria-label={one || t.noAvatar}
          onClick={() => pick(one)}
        >
          {one || "Aa"}
        </button>
      ))}
    </fieldset>
  );
}
