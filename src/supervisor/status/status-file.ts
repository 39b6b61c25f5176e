/** The status record as a file: written whole, with room laid by for when the disk is full. */
import type { Layout } from '../../config/layout.ts';
import { harmless } from '../../system/plain-text.ts';
import { discard, sizeIfThere, writeWhole } from '../../system/files/files.ts';
import type { Status } from './status-schema.ts';

/** Replaces the record. On a full disk the reserve that was laid by makes room: then above all it must be told. */
export function writeStatus(layout: Layout, status: Status): void {
  const text = `${JSON.stringify(status, harmless)}\n`;
  try {
    writeWhole(layout.status, text, { durable: false });
  } catch (error) {
    if (sizeIfThere(layout.reserve) === undefined) throw error;
    discard(layout.reserve);
    return writeWhole(layout.status, text, { durable: false });
  }
  layByReserve(layout);
}

/** Blocks for some records, so that there is room for them when there is none. */
function layByReserve(layout: Layout): void {
  if (sizeIfThere(layout.reserve) !== undefined) return;
  try {
    writeWhole(layout.reserve, Buffer.alloc(256 * 1024, 'x'), { durable: false });
  } catch {
    // No room for it now: it is tried again with the next record.
  }
}
