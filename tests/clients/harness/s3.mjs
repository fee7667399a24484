// A real S3-compatible server, moto, on a free port, with an empty bucket; it forgets everything when it ends. What
// a server needs to know of it is put into this process's environment, which every server that is started has.

import { spawn } from 'node:child_process';
import { pythonWithSocketio } from './python.mjs';
import { within } from './wait.mjs';

const STARTED = new Set();
process.once('exit', () => STARTED.forEach((child) => child.kill('SIGKILL')));

/** Starts it; its address. It ends with this process. */
export async function startS3() {
  const child = spawn(pythonWithSocketio(), ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  STARTED.add(child);
  let output = '';
  const url = await within(
    new Promise((resolve, reject) => {
      child.once('error', reject);
      child.stderr.setEncoding('utf8').on('data', (text) => {
        output += text;
        const found = /Running on (http:\S+)/.exec(output);
        if (found) resolve(found[1]);
      });
    }),
    () => `moto's start; it wrote:\n${output}`,
  );
  child.unref();
  child.stderr.unref();
  await fetch(`${url}/bucket`, { method: 'PUT' });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'tester',
    AWS_SECRET_ACCESS_KEY: 'nobody asks',
  });
  return { url };
}
