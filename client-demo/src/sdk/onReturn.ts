/**
 * Tells when a page is back: shown again, thawed, or with a network again. Timers stand still while a phone sleeps and
 * dead links say nothing, so whoever has one looks then. It refuses to need a page: in Node nothing is ever told.
 */
export function onReturn(then: () => void): () => void {
  if (typeof document === "undefined" || typeof window === "undefined") return () => undefined;
  const back = () => {
    if (document.visibilityState !== "hidden") then();
  };
  const listened: [EventTarget, string, () => void][] = [
    [document, "visibilitychange", back],
    [document, "resume", then],
    [window, "pageshow", back],
    [window, "online", then],
  ];
  for (const [target, event, listener] of listened) target.addEventListener(event, listener);
  return () => {
    for (const [target, event, listener] of listened) target.removeEventListener(event, listener);
  };
}
