// From what was chosen or dropped to sources: files, folders, ZIPs.

import { fileSource, type Skipped, type Source } from "./source";
import { readZip } from "./zip";

/** Files that every disc brings along and nobody needs to hear about. */
const QUIET = /(^|\/)(\.[^/]*|thumbs\.db|desktop\.ini|autorun\.inf|__MACOSX\/.*)$/i;

export interface Gathered {
  readonly sources: Source[];
  readonly skipped: Skipped[];
}

async function isZip(file: File): Promise<boolean> {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

export async function gather(files: readonly File[], nameOf: (file: File) => string = (f) => f.webkitRelativePath || f.name): Promise<Gathered> {
  const sources: Source[] = [];
  const skipped: Skipped[] = [];
  for (const file of files) {
    const name = nameOf(file);
    if (QUIET.test(name)) continue;
    try {
      if (!(await isZip(file))) {
        sources.push(fileSource(file, name));
        continue;
      }
      const inside = await readZip(file, name);
      sources.push(...inside.sources.filter((source) => !QUIET.test(source.name)));
      skipped.push(...inside.skipped);
    } catch {
      skipped.push({ name, reason: "This file can’t be opened: it is damaged or was not copied whole." });
    }
  }
  return { sources, skipped };
}

function readEntries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** Every file under what was dropped. Must be called before the drop event's handler returns: the list is gone then. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const files: File[] = [];
  const entries: FileSystemEntry[] = [];
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry();
    // What comes from another program, not from the file system, has no entry.
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) files.push(file);
  }
  const open = async (entry: FileSystemEntry): Promise<void> => {
    if (entry.isFile) {
      files.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    // A reader gives at most 100 entries at a time, and none at the end.
    for (let some = await readEntries(reader); some.length > 0; some = await readEntries(reader)) {
      for (const child of some) await open(child);
    }
  };
  for (const entry of entries) await open(entry);
  return files;
}
