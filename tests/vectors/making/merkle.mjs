// Reads {"types": [...], "sortLeaves": bool, "trees": [[[value, ...], ...], ...]} on stdin and writes, for each tree, what
// @openzeppelin/merkle-tree makes of it: the root, each leaf's hash and its proof, in the order of the input.
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { types, sortLeaves, trees } = JSON.parse(text);
const out = trees.map((values) => {
  const tree = StandardMerkleTree.of(values, types, { sortLeaves });
  return {
    root: tree.root,
    leaves: values.map((value) => tree.leafHash(value)),
    proofs: values.map((_, index) => tree.getProof(index)),
  };
});
process.stdout.write(JSON.stringify(out));
