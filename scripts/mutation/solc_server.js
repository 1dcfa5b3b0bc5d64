#!/usr/bin/env node
// npm's solc-js kept warm: one standard JSON input a line on stdin, one standard JSON output a line on stdout.
//
// Loading the compiler and warming up its WebAssembly takes seconds, which a run of hundreds of compilations pays once.
// Every source is given in the input; nothing is read from the disk.
"use strict";

const readline = require("readline");

const solc = require(require.resolve("solc", { paths: [__dirname, process.cwd()] }));

readline.createInterface({ input: process.stdin, terminal: false }).on("line", (line) => {
  process.stdout.write(solc.compile(line).trim() + "\n");
});
