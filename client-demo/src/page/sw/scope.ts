/**
 * What a service worker finds around it, as far as ours needs it: TypeScript's own types of it exclude those of a page,
 * which everything else here is written with. Types alone.
 */

export interface Lasting {
  waitUntil(until: Promise<unknown>): void;
}

export interface Fetched extends Lasting {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

export interface Told extends Lasting {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
}

export interface Clicked extends Lasting {
  readonly notification: { close(): void };
}

export interface Page {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  focus?(): Promise<unknown>;
}

export interface Scope {
  readonly location: URL;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(which: { type: "window"; includeUncontrolled: boolean }): Promise<readonly Page[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(event: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(event: "message", listener: (event: Told) => void): void;
  addEventListener(event: "notificationclick", listener: (event: Clicked) => void): void;
  addEventListener(event: "fetch", listener: (event: Fetched) => void): void;
}
