/** Parts of the room that are loaded when they are first shown. */
import { later } from "../basics/later";

export const InvitePanel = later(() => import("./Invite").then(({ Invite }) => Invite));
export const ShareDialog = later(() => import("./ShareDialog").then((part) => part.ShareDialog));
export const SealDialog = later(() => import("./SealDialog").then((part) => part.SealDialog));
export const SelfDialog = later(() => import("./SelfDialog").then((part) => part.SelfDialog));
