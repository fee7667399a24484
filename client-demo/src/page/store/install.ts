/** Whether the browser offers to install the page, kept until the person asks for it. */
import { computed, signal } from "@preact/signals";

/** Chromium's own event; other browsers have their own way, and no event. */
interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

const offer = signal<InstallEvent | undefined>(undefined);

export const installable = computed(() => offer.value !== undefined);

globalThis.addEventListener?.("beforeinstallprompt", (event) => {
  event.preventDefault();
  offer.value = event as InstallEvent;
});

export function install(): void {
  void offer.value?.prompt().catch(() => undefined);
  offer.value = undefined;
}
