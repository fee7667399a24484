/** Asks again, with growing pauses, while the refusal is a passing one. */
import { RoomdropError } from "./RoomdropError";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/**
 * What `ask` resolves with; nothing once `wanted` says so or the link is down, since then another link will
 * ask anew. Rejects with any refusal that will not pass.
 */
export async function retrying<T>(ask: () => Promise<T>, wanted: () => boolean): Promise<T | undefined> {
  for (let pause = FIRST_PAUSE; wanted(); pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      return await ask();
    } catch (error) {
      if (!wanted()) return undefined;
      if (!(error instanceof RoomdropError) || !error.passing) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return undefined;
}
