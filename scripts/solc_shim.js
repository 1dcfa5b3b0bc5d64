#!/usr/bin/env node
// A stand-in for the native `solc` executable, over npm's solc-js, for machines without a native compiler.
//
// It answers the two invocations that py-solc-x makes: `--version`, in the native form that py-solc-x parses, and
// `--standard-json` (input on stdin, output on stdout). Stock `solcjs` will not do: it prints a banner before its
// JSON and reads no imports from node_modules. Options that only limit where the native compiler may read
// (`--base-path`, `--allow-paths`) are accepted; imports are read from the base path, the working directory and
// this repository, each with its node_modules, and from nowhere else.
"use strict";

const fs = require("fs");
const path = require("path");

const REPOSITORY = path.dirname(path.dirname(fs.realpathSync(__filename)));
const VALUED_OPTIONS = new Set(["--base-path", "--include-path", "--allow-paths"]);

function fail(message) {
  process.stderr.write(`Error: ${message}\n`);
  process.exit(1);
}

function parse(argv) {
  const options = { version: false, standardJson: false, roots: [process.cwd(), REPOSITORY] };
  for (let i = 0; i < argv.length; i++) {
    const [name, inline] = argv[i].split(/=(.*)/s, 2);
    if (name === "--version") options.version = true;
    else if (name === "--standard-json") options.standardJson = true;
    else if (VALUED_OPTIONS.has(name)) {
      const value = inline === undefined ? argv[++i] : inline;
      if (value === undefined) fail(`${name} needs a value`);
      if (name !== "--allow-paths") options.roots.unshift(path.resolve(value));
    } else if (argv[i] !== "-") fail(`this stand-in for solc does not know the option ${argv[i]}`);
  }
  return options;
}

function importReader(roots) {
  const folders = roots.flatMap((root) => [root, path.join(root, "node_modules")]);
  return (unit) => {
    for (const folder of folders) {
      const file = path.resolve(folder, unit);
      if (file.startsWith(folder + path.sep) && fs.existsSync(file)) {
        return { contents: fs.readFileSync(file, "utf8") };
      }
    }
    return { error: `File not found: ${unit} (looked in ${folders.join(", ")})` };
  };
}

function main() {
  const options = parse(process.argv.slice(2));
  if (!options.version && !options.standardJson) fail("use --version or --standard-json");
  const searched = [...options.roots, path.dirname(REPOSITORY)];
  let solc;
  try {
    solc = require(require.resolve("solc", { paths: searched }));
  } catch (error) {
    fail(`npm's solc is not installed (run "npm ci" in ${REPOSITORY}): ${error.message}`);
  }
  if (options.version) {
    process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
    return;
  }
  const input = fs.readFileSync(0, "utf8");
  process.stdout.write(solc.compile(input, { import: importReader(options.roots) }) + "\n");
}

main();
