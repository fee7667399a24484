// Ranges as no good client asks for them, for every address that has ranges: each is ignored or not satisfiable
// (RFC 9110 §14), in the documented form. Written once, so that no address is asked less than another.

import assert from 'node:assert/strict';
import { sha256 } from './bytes.mjs';
import { curl } from './curl.mjs';
import { refused } from './envelope.mjs';

/** Malformed, of another unit, or of several parts: ignored. */
const IGNORED = [
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=5',
  'bytes=5-2',
  'bytes=a-b',
  'bytes=--5',
  'bytes=1--2',
  'bytes=1-2-3',
  'bytes=+1-5',
  'bytes=0x1-',
  'bytes=1.5-2',
  'bytes=1e3-',
  'bytes=0 -5',
  'bytes:0-5',
  'bytes 0-5/10',
  'bytes=\u0661-\u0665',
  'bytes=99999999999999999999-',
  'bytes=0-1,5-6',
  'bytes=0-0,-1',
  `bytes=${'0-,'.repeat(1300)}0-`,
  'items=0-5',
  '=0-5',
  '0-5',
  'none',
];

/** Beyond the end of so many bytes: not satisfiable. */
const beyond = (size) => [`${size}-`, `${size + 5}-${size + 9}`, '-0', '9007199254740993-'];

/** Asks `url`, which has `bytes`, for every bad range: all of it or 416 comes, and never a part. */
export async function withstandsBadRanges(url, bytes) {
  for (const range of IGNORED) {
    const { status, headers, body } = await curl(url, '--header', `Range: ${range}`);
    assert.equal(status, 200, range);
    assert.equal(headers['content-length'], String(bytes.length), range);
    assert.equal(headers['content-range'], undefined, range);
    assert.equal(sha256(body), sha256(bytes), range);
  }
  for (const range of beyond(bytes.length)) {
    const { status, headers, body } = await curl(url, '--range', range);
    assert.equal(status, 416, range);
    assert.equal(headers['content-range'], `bytes */${bytes.length}`, range);
    refused(JSON.parse(body), 'range_not_satisfiable');
  }
}
