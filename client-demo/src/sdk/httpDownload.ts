/** Leaves the bytes to the browser's own download: it asks the server over HTTP and writes to disk itself. */
import type { HttpDownload } from "./Sink";

export function httpDownload(): HttpDownload {
  return {
    kind: "http",
    start(url, name) {
      const anchor = document.createElement("a");
      anchor.href = url;
      anchor.download = name;
      anchor.rel = "noopener";
      document.body.append(anchor);
      anchor.click();
      anchor.remove();
    },
  };
}
