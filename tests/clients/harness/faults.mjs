// Wrong values for every kind of field, by the rules of the protocol reference: what is sent for each is a
// row here, so that a new field needs only its kind.

import { NESTED } from './clients.mjs';

const BEYOND = 2 ** 53;
const NOT_A_TEXT = { number: 7, boolean: true, list: ['a'], object: { a: 1 }, nested: NESTED };
const NOT_A_NUMBER = { text: '5', boolean: true, list: [1], object: { a: 1 }, nested: NESTED };
const NULL = { null: null };
const ANY_INTEGER = {
  ...NOT_A_NUMBER,
  negative: -1,
  fraction: 1.5,
  'beyond 2^53': BEYOND,
  'far beyond 2^53': 1e300,
};
const ANY_ID = { ...NOT_A_TEXT, empty: '', 'too long': 'a'.repeat(65), 'two lines': 'a\nb' };
const MANY = 10_001;

/** Wrong values by the kind of the field. A kind that ends in `?` may be missing or `null`. */
const FAULTS = {
  room: { ...ANY_ID, ...NULL, spaced: 'a b', slashed: 'a/b', 'not ASCII': 'é' },
  id: { ...ANY_ID, ...NULL },
  'id?': ANY_ID,
  'tokens?': {
    ...NOT_A_TEXT,
    text: 'a',
    'list of numbers': [7],
    'too many': Array(MANY).fill('a'),
    'null in it': [null],
  },
  integer: { ...ANY_INTEGER, ...NULL },
  'integer?': ANY_INTEGER,
  'integer or null': ANY_INTEGER,
  text: { ...NOT_A_TEXT, ...NULL, 'too long': 'a'.repeat(17 * 1024) },
  'name?': { ...NOT_A_TEXT, empty: '', 'too long': 'a'.repeat(65), 'two lines': 'a\nb' },
  note: { ...NOT_A_TEXT, ...NULL, 'too long': 'a'.repeat(2001) },
  'note?': { ...NOT_A_TEXT, 'too long': 'a'.repeat(2001) },
  'passphrase?': { ...NOT_A_TEXT, empty: '', 'too long': 'a'.repeat(1025) },
  'boolean?': { number: 1, text: 'true', list: [true], object: {}, nested: NESTED },
  files: {
    ...NOT_A_TEXT,
    ...NULL,
    empty: [],
    text: 'a',
    'null in it': [null],
    'too many': Array(MANY).fill({ name: 'a', size: 1 }),
  },
  'digest?': {
    ...NOT_A_TEXT,
    empty: '',
    'no algorithm': 'ba78',
    'unknown algorithm': 'crc32:00000000',
    'too short': 'sha256:ba78',
    'not hexadecimal': `md5:${'z'.repeat(32)}`,
    'too long': `md5:${'0'.repeat(10_000)}`,
  },
  fileName: {
    ...NOT_A_TEXT,
    ...NULL,
    empty: '',
    dot: '.',
    'two dots': '..',
    slash: 'a/b',
    'absolute path': '/etc/passwd',
    backslash: '..\\b',
    'line feed': 'a\nb',
    'carriage return': 'a\r\nSet-Cookie: b',
    'zero byte': 'a\0b',
    'next line': 'a\u0085b',
    'too long': 'a'.repeat(256),
    'too long in bytes': 'é'.repeat(128),
  },
  'path?': {
    ...NOT_A_TEXT,
    empty: '',
    absolute: '/a',
    'two dots': 'a/../../b',
    dot: './a',
    'empty part': 'a//b',
    trailing: 'a/',
    backslash: 'a\\b',
    'line end': 'a\nb/c',
    'too long': Array(2100).fill('a').join('/'),
    'a part too long': `a/${'b'.repeat(256)}`,
  },
  'mediaType?': {
    ...NOT_A_TEXT,
    'no slash': 'png',
    'line end': 'a/b\r\nSet-Cookie: c',
    'not ASCII': 'a/é',
    'too long': `a/${'b'.repeat(255)}`,
  },
};
delete FAULTS['tokens?'].list;
delete FAULTS.files.list;

/** Every wrong form of `good`, whose fields have `kinds`: `[what is wrong, the argument]`. */
export function* faultsOf(good, kinds) {
  for (const [field, kind] of Object.entries(kinds)) {
    if (!kind.endsWith('?')) {
      const { [field]: _, ...rest } = good;
      yield [`${field} is missing`, rest];
    }
    for (const [what, value] of Object.entries(FAULTS[kind]))
      yield [`${field} is wrong: ${what}`, { ...good, [field]: value }];
  }
}

/** What may stand where an object is due. */
export const NOT_AN_OBJECT = {
  'no argument': [],
  null: [null],
  text: ['text'],
  number: [7],
  boolean: [true],
  list: [[]],
  'deeply nested': [NESTED],
  bytes: [Buffer.from('bytes')],
  'bytes in an object': [{ room: Buffer.from('bytes') }],
  'twelve of them': Array(12).fill({}),
};
