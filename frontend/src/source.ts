// Where bytes come from: a file on disk or an entry of a ZIP, read piece by piece so that no large file is held whole.

export interface Source {
  /** Path as the person knows it, for lists. */
  readonly name: string;
  /** Bytes, unpacked. */
  readonly size: number;
  /** The first `bytes` bytes, fewer where there are no more. */
  head(bytes: number): Promise<Uint8Array>;
  /** Everything, for sending. */
  blob(): Promise<Blob>;
}

/** A file that was not taken, with a sentence that says why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export function fileSource(file: File, name: string = file.webkitRelativePath || file.name): Source {
  return {
    name,
    size: file.size,
    head: async (bytes) => new Uint8Array(await file.slice(0, bytes).arrayBuffer()),
    blob: async () => file,
  };
}

/** Gives the page a moment to paint and to answer a finger. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
