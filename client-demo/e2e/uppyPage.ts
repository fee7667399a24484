/** Someone's own page with Uppy on it, as little of it as uploads: bundled by the test, opened in the browser. */
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

declare global {
  interface Window {
    uppy?: Uppy;
  }
}

const { room, endpoint } = Object.fromEntries(new URLSearchParams(location.search));
const uppy = new Uppy().use(Tus, { endpoint: endpoint ?? "" });
uppy.setMeta({ room });
window.uppy = uppy;

const input = document.querySelector("input");
input?.addEventListener("change", () => {
  for (const file of input.files ?? []) uppy.addFile({ name: file.name, type: file.type, data: file });
});
