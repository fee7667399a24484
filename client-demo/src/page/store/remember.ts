/** Moved: what is remembered is a matter of the hands. Kept as a door for the store alone. */
export { remember, remembered } from "../hands/memory";
