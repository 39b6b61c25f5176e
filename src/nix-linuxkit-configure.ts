#!/usr/bin/env node
// The command of linuxkit-nix, with its flags: `linuxkit-builder configure`.
import { onStopSignal } from './system/signals.ts';
import { begin } from './begin.ts';

begin(['configure', ...process.argv.slice(2)], onStopSignal);
