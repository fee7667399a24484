/** What one calls oneself. */
import { myName, rename } from "../store/store";

export function NameField() {
  return (
    <label class="field name-field">
      <span>Your name</span>
      <input
        data-testid="my-name"
        type="text"
        maxLength={64}
        autocomplete="nickname"
        value={myName.value}
        onChange={(event) => rename(event.currentTarget.value)}
      />
    </label>
  );
}
