// Judges every shared vector with the checker's bundle: node vectors.mjs BUNDLE VECTORS DEPLOYMENT; one JSON list.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [bundle, vectors, deployment] = process.argv.slice(2);
const { verify } = await import(pathToFileURL(bundle));
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const shared = read(vectors);
const city = read(deployment);

const changed = (receipt, change) => {
  const copy = structuredClone(receipt);
  if (!change) return copy;
  const last = change.path.at(-1);
  const place = change.path.slice(0, -1).reduce((part, name) => part[name], copy);
  if (change.drop_last) place[last] = place[last].slice(0, -1);
  else place[last] = change.set;
  return copy;
};

const judged = shared.vectors.map((vector) => {
  const receipt = changed(shared.receipts[vector.receipt], vector.change);
  const found = verify(receipt, vector.validators, vector.has_deployment ? city : null);
  return { name: vector.name, ok: found.ok, seal: found.seal?.text ?? null, refused_at: found.refusedAt, step: found.step };
});
console.log(JSON.stringify(judged));
