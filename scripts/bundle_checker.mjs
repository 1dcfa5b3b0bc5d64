// Bundles the receipt checker into one module: node scripts/bundle_checker.mjs [OUTPUT]. `make setup` runs it, and it
// puts jsQR, which reads codes at the counter, beside the counter's own modules.
//
// What the checker knows of the contracts (events, storage slots) is taken from their artifacts.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../", import.meta.url);
const checker = fileURLToPath(new URL("ledger_api/pages/checker/", root));
const artifact = (name) => JSON.parse(readFileSync(new URL(`contracts/artifacts/${name}.json`, root), "utf8"));

const NAMES = ["AccessManager", "ClearingBook", "Council", "Exchange", "PointsLedger", "Redemption", "Succession"];
const typeOf = (input) =>
  input.type.startsWith("tuple") ? `(${input.components.map(typeOf).join()})${input.type.slice("tuple".length)}` : input.type;
const eventsOf = (name) =>
  artifact(name)
    .abi.filter((entry) => entry.type === "event")
    .map(({ name: event, inputs }) => ({
      name: event,
      inputs: inputs.map((input) => ({ name: input.name, type: typeOf(input), indexed: input.indexed })),
    }));
const slotOf = (name, label) => Number(artifact(name).storageLayout.find((entry) => entry.label === label).slot);

const contracts = {
  name: "contracts",
  setup(builder) {
    builder.onResolve({ filter: /^virtual:contracts$/ }, ({ path }) => ({ path, namespace: "virtual" }));
    builder.onLoad({ filter: /.*/, namespace: "virtual" }, () => ({
      contents: `export const EVENTS = ${JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, eventsOf(name)])))};
export const SLOTS = ${JSON.stringify({ batchWord: slotOf("PointsLedger", "batchWord"), receiptsRoot: slotOf("ClearingBook", "receiptsRoot") })};`,
    }));
  },
};

await build({
  entryPoints: [`${checker}source/page.js`],
  outfile: process.argv[2] ?? `${checker}assets/checker.js`,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "inline",
  plugins: [contracts],
  logLevel: "warning",
});

if (!process.argv[2]) {
  await build({
    stdin: { contents: 'export { default } from "jsqr";', resolveDir: fileURLToPath(root) },
    outfile: fileURLToPath(new URL("ledger_api/pages/counter/assets/jsqr.js", root)),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "inline",
    logLevel: "warning",
  });
}
