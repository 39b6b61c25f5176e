#!/usr/bin/env node
// argv in, exit code out: the only process.exit, and the only place that knows the real world.
// The signals come first: a stop during start-up is remembered from here on.
import { onStopSignal } from './system/signals.ts';
import { begin } from './begin.ts';

begin(process.argv.slice(2), onStopSignal);
