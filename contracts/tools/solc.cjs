// The part of solc's command line that forge needs, over npm's build of the compiler: --version and --standard-json.
// It refuses everything else.
"use strict";

const path = require("node:path");

const modules = path.join(__dirname, "..", "node_modules");

function version() {
  // Read from the package, not the compiler: loading it costs a second, and forge asks often.
  const { version: number } = require(path.join(modules, "solc", "package.json"));
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${number}+commit.00000000.Linux.g++\n`);
}

function compile() {
  const chunks = [];
  process.stdin.on("data", (chunk) => chunks.push(chunk));
  process.stdin.on("end", () => {
    const solc = require(path.join(modules, "solc"));
    process.stdout.write(solc.compile(Buffer.concat(chunks).toString("utf8")));
  });
}

const flags = process.argv.slice(2);
if (flags.includes("--version")) version();
else if (flags.includes("--standard-json")) compile();
else {
  process.stderr.write("solc.cjs: only --version and --standard-json are supported\n");
  process.exit(2);
}
