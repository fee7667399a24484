/** Where the page begins. */
import { render } from "preact";
import { App } from "./parts/App";
import { begin } from "./store/store";

const root = document.getElementById("page");
if (root) {
  begin();
  render(<App />, root);
}
