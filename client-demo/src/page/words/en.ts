/**
 * Everything the page says, in English, and the shape that every other language has to have. Sentences and labels
 * alone: what is said when is decided elsewhere.
 */
import type { AnyErrorCode } from "../../sdk";
import { bytes, clock, count, period, regional, when } from "../format";
import type { News } from "../hands/summary";
import type { ReceiverStage, Stage } from "../store/stages";
import type { DropStage, FetchView } from "../store/views";

const LOCALE = regional("en");

const plural = (value: number, one: string, many: string) =>
  `${count(value, LOCALE)} ${value === 1 ? one : many}`;
const files = (value: number) => plural(value, "file", "files");

export const en = {
  locale: LOCALE,
  tagline: "Share files with the people in your room, live and end-to-end encrypted.",
  close: "Close",
  cancel: "Cancel",
  dismiss: "Dismiss",
  copy: "Copy",
  copied: "Copied",
  you: "You",
  someone: "Someone who left",
  files,

  front: {
    start: "Start a room",
    startHelp: "You get a link to share. Whoever opens it is in.",
    addPassphrase: "Add a passphrase",
    passphrase: "Passphrase",
    haveCode: "Have a code?",
    codeLabel: "Code or link of the room",
    codeExample: "calm-otter-4217",
    enter: "Enter",
    wrongCode:
      "That is neither a code nor a link. A code is up to 64 letters, digits, hyphens and underscores.",
    recent: "Recent rooms",
    forget: (room: string) => `Forget ${room}`,
    encrypted: "encrypted",
    facts: [
      { title: "Live", words: "Bytes go straight on to whoever accepts, while they are still being sent." },
      { title: "End-to-end encrypted", words: "The key is in the link. The server never sees it." },
      { title: "Nothing is kept", words: "Files are not stored, unless you ask for a copy." },
    ],
    ready: (value: number) => `${files(value)} ${value === 1 ? "is" : "are"} ready: start or enter a room.`,
    noSeal: "This page was opened without https, so a new room is not encrypted.",
  },

  self: {
    label: "Your name",
    change: "Change your name and picture",
    avatar: "Your picture",
    pickAvatar: "Pick a picture",
    noAvatar: "Initials",
    hint: "This is how others in the room see you.",
  },

  settings: {
    language: "Language",
    theme: "Theme",
    themes: { system: "System", light: "Light", dark: "Dark" },
    notify: "Notify me of offers",
    notifyHint: "This takes a while. Be told when it is done?",
    notifyYes: "Notify me",
    notifyNo: "No, thanks",
    notifyRefused:
      "The browser refused notifications. Allow them for this page in its settings; until then, the tab's title tells how far it is.",
    install: "Install roomdrop",
  },

  room: {
    menu: "More",
    leave: "Leave the room",
    people: "People",
    here: (value: number) => `${count(value, LOCALE)} here`,
    away: "away",
    yourself: "you",
    alone: "Nobody else is here yet",
    aloneHelp: "Share the link, and drop files here already: whoever comes sees what is open.",
    quiet: "Nothing here yet",
    quietHelp: "Drop files anywhere on this page, paste them, or say something.",
    alwaysFrom: (name: string) => `Always accept from ${name}`,
    states: {
      connecting: "Connecting",
      joined: "Connected",
      offline: "Connection lost",
      refused: "Not let in",
      left: "Left",
    },
    lost: "Connection lost. Trying again…",
    lostHelp: "Everything goes on by itself.",
  },

  seal: {
    open: "Encrypted",
    none: "Not encrypted",
    locked: "Locked",
    openTitle: "This room is end-to-end encrypted",
    openHelp:
      "Files, their names and messages are encrypted in your browser with a key that is in the link after the #. The server passes on what it cannot read. It still sees who is here, and how many files of what size go where and when.",
    openHint: "Give the link only to those who may read along.",
    noneTitle: "This room is not encrypted end to end",
    noneHelp:
      "It was entered by its code, without a key. The server could read what passes through it, although it keeps nothing unless asked.",
    noneHint: "For an encrypted room, start a new one and share its whole link.",
    lockedTitle: "This link has no key",
    lockedHelp:
      "What is offered and said here is encrypted, and the key is in the part of the link after the #. Paste the whole link to read it.",
    lockedHint: "Without the key, what you send from here is not encrypted.",
    lockedField: "The whole link of the room",
    unlock: "Unlock",
    wrongKey: "There is no key in that. Ask for the whole link, with all that follows the #.",
    lockedFile: "Encrypted file",
    lockedMessage: "Encrypted message",
    startNew: "Start an encrypted room",
  },

  invite: {
    share: "Share",
    title: "Invite to this room",
    copyLink: "Copy link",
    copyFailed: "The browser did not allow it. Copy the link from the address bar.",
    more: "Share by…",
    qr: "QR code of the room's link",
    needsLink: "The code alone opens the room, but only the link has its key.",
    text: "Join my room on roomdrop",
  },

  refused: {
    title: "You are not let in",
    full: "This room is full",
    fullHelp: "As many people are in it as it takes. Try again when someone has left.",
    passphraseTitle: "This room has a passphrase",
    passphraseHelp: "Ask whoever invited you for it.",
    passphraseWrong: "That is not the passphrase of this room.",
    passphrase: "Passphrase of the room",
    enter: "Enter",
    busy: "The server is at its limit",
    busyHelp: "It takes no more people at the moment. Try again in a while.",
    badKey: "The key in this link is not whole",
    badKeyHelp: "A part of the link was lost on its way. Ask for the whole link again, and paste it here.",
    again: "Try again",
    elsewhere: "Start another room",
  },

  composer: {
    label: "Message and files",
    placeholder: "Message or drop files",
    note: "Add a note",
    send: "Send",
    attach: "Add files",
    chooseFiles: "Choose files",
    chooseFolder: "Choose a folder",
    fromLink: "From a link",
    goLive: "Go live with the microphone",
    endLive: "End the live sound",
    live: "Live",
    liveHelp: "Whoever accepts hears you.",
    dropHere: "Drop to add them",
    dropHelp: "Nothing is sent before you say so.",
    picture: "Picture",
    pastedText: "Text",
    tray: "Ready to send",
    total: (value: number, size: number) => `${files(value)}, ${bytes(size, LOCALE)}`,
    addMore: "Add more",
    clear: "Clear all",
    remove: (name: string) => `Remove ${name}`,
    to: "To",
    everyone: "Everyone",
    keep: "Keep a copy on the server",
    keepHelp: (milliseconds: number) =>
      `For ${period(milliseconds, LOCALE)}, also after you leave. You can delete it at any time.`,
    keepSealed: (milliseconds: number) =>
      `For ${period(milliseconds, LOCALE)}, also after you leave, encrypted. You can delete it at any time.`,
    unreadable: (names: readonly string[]) =>
      names.length === 1
        ? `${names[0]} could not be read, so it was not added. Check that it still exists and that you may open it.`
        : `${files(names.length)} could not be read, so they were not added: ${list(names)}.`,
    tooMany: "That was more than one offer can hold, so some files were left out.",
    andMore: (value: number) => `and ${count(value, LOCALE)} more`,
    sharedLost: "What was shared could not be kept by the browser. Share it again, or choose the files here.",
    noMicrophone: "The microphone cannot be used. Allow it in the browser, and try again.",
  },

  links: {
    title: "Download from a link",
    help: "The server downloads it and offers it to the room, with its own line. Where the server allows it.",
    label: "Links, with spaces or new lines between",
    start: "Download",
    list: "Links",
    stop: "Stop",
    remove: "Remove",
    stages: {
      starting: "asking the origin",
      waiting: "offered; comes as it is accepted",
      offered: "downloading",
      complete: "everyone who accepted has it",
      stopped: "stopped by you",
      failed: "failed",
    } satisfies Record<FetchView["stage"], string>,
  },

  drop: {
    offers: (name: string, value: number) => `${name} offers ${value === 1 ? "a file" : files(value)}`,
    offerOf: (name: string) => `Offer from ${name}`,
    yourOffer: "Your offer",
    accept: "Accept",
    acceptSome: (value: number, size: string) => `Accept ${files(value)}, ${size}`,
    reject: "Reject",
    rejectAll: "Reject all",
    choose: (name: string) => `Take ${name}`,
    chooseAll: "All files",
    show: (value: number) => `Show ${files(value)}`,
    hide: "Hide files",
    list: "Files",
    keyAccept: "Enter",
    keyReject: "Esc",
    accepts: "accepts",
    rejects: "rejects",
    noFit: (size: string, free: string) =>
      `This needs ${size}, and the browser has ${free} left. Save it straight to your disk instead, or take fewer files.`,
    zip: "Save all as ZIP",
    pauseAll: "Pause all",
    resumeAll: "Go on",
    cancelAll: "Cancel all",
    withdraw: "Withdraw",
    of: (done: number, all: number) => `${count(done, LOCALE)} of ${files(all)}`,
    allVerified: "All verified",
    finished: (name: string) => `${name} is here`,
    finishedMany: (value: number, name: string) => `${files(value)} from ${name} are here`,
    stages: {
      offered: "waiting for your answer",
      moving: "under way",
      held: "waiting",
      open: "waiting for someone to accept",
      done: "complete",
      over: "over",
      failed: "not all of it arrived",
    } satisfies Record<DropStage, string>,
  },

  file: {
    sizeUnknown: "live",
    verified: "Verified",
    verifiedHelp: "The checksum of the whole file was compared and is right.",
    left: (seconds: number) => {
      if (seconds < 60) return `${seconds} s left`;
      if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
      return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min left`;
    },
    receivers: (name: string) => `Receivers of ${name}`,
    again: (name: string) => `The file again: ${name}`,
    actions: {
      play: "Watch",
      accept: "Accept",
      download: "Save straight to disk",
      reject: "Reject",
      pause: "Pause",
      resume: "Resume",
      cancel: "Cancel",
      delete: "Delete",
      save: "Save again",
      forget: "Remove from browser",
      supply: "Choose the file again",
      wake: "Go on sending",
    },
    stages: {
      offered: "offered to you",
      asking: "asking the server",
      waiting: "waiting for other files to finish",
      receiving: "receiving",
      browser: "downloading in the browser",
      verifying: "verifying",
      received: "received",
      pausedHere: "paused by you",
      pausedThere: "paused by the sender",
      rejected: "rejected by you",
      givenUp: "cancelled by you",
      calledOff: "cancelled by the sender",
      open: "waiting for someone to accept",
      sending: "sending",
      sent: "all sent; being received",
      held: "paused by you",
      delivered: "everyone who accepted has it",
      missing: "choose the file again, and it goes on",
      asleep: "asleep since the reload; one click, and it goes on",
      cancelled: "cancelled by you",
      suspended: "reconnecting; goes on by itself",
      offline: "waiting for the connection; goes on by itself",
      failed: "failed",
    } satisfies Record<Stage, string>,
    receiverStages: {
      invited: "has not answered",
      accepted: "accepted",
      receiving: "receiving",
      verifying: "verifying",
      paused: "paused",
      away: "away; goes on when back",
      offline: "waiting for the connection",
      complete: "has all of it",
      rejected: "rejected",
      cancelled: "cancelled",
      failed: "failed",
    } satisfies Record<ReceiverStage, string>,
    copyStoring: "being stored",
    copyStored: "stored",
    copyUntil: (at: number, now: number) => `stored until ${when(at, now, LOCALE)}`,
    copyFailed: "could not be stored",
  },

  timeline: {
    label: "Messages and files",
    at: (at: number) => clock(at, LOCALE),
    newest: "Newest",
  },

  notices: {
    percent: (value: number) => `${value} %`,
    offers: (value: number) => plural(value, "offer", "offers"),
    news: (news: News) => NEWS[news],
  },

  problems: {
    broken: (name: string) => `The download of ${name} broke off. Accept it again, and it begins anew.`,
    page: "Something went wrong in this page; reload it.",
    part: "A part of the page could not be loaded. Check the connection, and try again.",
  },

  /** In place of the server's own sentence, where this one says more. */
  errors: {
    room_full: "The room is full. Try again when someone has left.",
  } as Partial<Record<AnyErrorCode, string>>,
};

const NEWS: Record<News, string> = {
  offers: "Someone offers you files.",
  finished: "All files are there.",
  said: "Someone said something.",
};

/** The shape that every language has. */
export type Words = typeof en;

/** A few names, and how many more. */
function list(names: readonly string[]): string {
  const some = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${some} and ${count(names.length - 3, LOCALE)} more` : some;
}
