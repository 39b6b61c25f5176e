#!/usr/bin/env node
import { onThisNode } from './on-this-node.ts';

onThisNode(process.argv.slice(2));
