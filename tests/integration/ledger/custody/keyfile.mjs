// Another implementation of Web3 Secret Storage, @ethereumjs/wallet. Reads on stdin
// {"open": [{"file", "password"} or {"file", "master", "name"}, ...], "make": [{"secret", "password", "n", "p"}, ...]}
// and writes {"opened": [secret, ...], "made": [file, ...]}. Of a master key (hexadecimal) it derives a name's password.
import { hkdfSync } from "node:crypto";
import { Wallet } from "@ethereumjs/wallet";

const password = ({ password, master, name }) =>
  password ?? Buffer.from(hkdfSync("sha256", Buffer.from(master, "hex"), "", `tongdui key ${name}`, 32)).toString("hex");

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { open, make } = JSON.parse(text);
const opened = [];
for (const entry of open) opened.push((await Wallet.fromV3(entry.file, password(entry))).getPrivateKeyString());
const made = [];
for (const { secret, password, n, p } of make) {
  made.push(await Wallet.fromPrivateKey(Buffer.from(secret, "hex")).toV3String(password, { kdf: "scrypt", n, p }));
}
process.stdout.write(JSON.stringify({ opened, made }));
