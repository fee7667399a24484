/**
 * Where a producer reads: byte ranges of one file. The port behind `blobSource`. It refuses to return fewer
 * bytes than asked for: a file that shrank or changed is an error, never a short read.
 */
export interface Source {
  /** Bytes of the whole. */
  readonly size: number;

  /** The `len` bytes at `offset`; rejects with `file_changed` when they can't be had any more. */
  read(offset: number, len: number): Promise<Uint8Array>;

  /**
   * The digest of the whole, or nothing where it can't be computed. Costs a second reading of the file, unless all of it
   * was read in order before.
   */
  digest?(): Promise<string | undefined>;

  /** Reads no more: what it holds for a next reading is let go. */
  close?(): void;
}
