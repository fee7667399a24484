/** What `opfsSink` and its worker say to each other. Types alone. */
export type OpfsAsk =
  | { do: "open"; directory: string; file: string; hashed: boolean }
  | { do: "write"; file: string; offset: number; bytes: Uint8Array }
  | { do: "finish"; file: string }
  | { do: "close"; file: string }
  | { do: "discard"; directory: string; file: string }
  | { do: "sweep"; directory: string; age: number };

export interface OpfsReply {
  /** Bytes held, of `open`. */
  held?: number;
  /** The whole file's digest, of `finish`. */
  digest?: string | undefined;
  /** The name of the `DOMException`, when it failed. */
  problem?: string;
}
