#!/usr/bin/env node
// The command of linuxkit-nix, with its flags: `linuxkit-builder configure`.
import { onThisNode } from './on-this-node.ts';

onThisNode(['configure', ...process.argv.slice(2)]);
