#!/usr/bin/env node
// The `marco` command: TypeScript is run as it is, by tsx.
import { register } from "tsx/esm/api";

register();
await import("../src/cli/main.ts");
