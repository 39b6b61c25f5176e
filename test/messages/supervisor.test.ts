import * as keep from './supervisor-keep.ts';
import * as life from './supervisor-life.ts';
import { tells } from './tell.ts';

tells('supervisor', {
  'The phases, in status': life.phases,
  'Reasons, in the log and in status': life.reasons,
  'Why a guest, or its network, was lost': life.losses,
  'A guest that is slow': life.slow,
  'Why a start fails': life.starts,
  'The daemon': keep.daemon,
  'The disk': keep.disks,
  'A suspend, and a resume': keep.suspends,
  'Garbage collection, and memory that is given back': keep.upkeep,
  'A process of an earlier daemon': keep.leftovers,
  'Incidents that are kept': keep.incidents,
  'Starts, and the last day': keep.pictures,
});
