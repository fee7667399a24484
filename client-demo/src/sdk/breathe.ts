/**
 * Lets everything else have its turn: resolves in a new task, soon also where the tab is hidden and timers are slow.
 * Exists because whoever sends gigabytes must never hold the page for longer than one piece of them takes.
 */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    channel ??= new MessageChannel();
    waiting.push(resolve);
    channel.port1.onmessage = () => waiting.shift()?.();
    channel.port2.postMessage(undefined);
  });
}

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];
