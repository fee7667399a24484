/** Everything one may share a room by, large enough to be read and scanned from another device. */
import { words } from "../../words";
import { Dialog } from "../basics/Dialog";
import { Invite } from "./Invite";

export function ShareDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={words.value.invite.title} testId="share-dialog" onClose={onClose}>
      <Invite />
    </Dialog>
  );
}
