/** Hashes away from the page; the other half is `digest.ts`. */
import { type HashJob, hashingJobs } from "./hashingJobs";

const take = hashingJobs((reply) => self.postMessage(reply));

self.onmessage = ({ data }: MessageEvent<HashJob>) => take(data);
