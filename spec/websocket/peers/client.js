// A client by Node's ws: node client.js URL [CODE]. Sends what an echo must send back, compressed and
// not, then closes with a code and a reason. Prints "ok N" for N messages.
"use strict";
const WebSocket = require("ws");

const ws = new WebSocket(process.argv[2], "chat", { maxPayload: 17 << 20 });
const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20];
const wanted = [];
let got = 0;

function fail(why) {
  console.log(`failed: ${why}`);
  process.exit(1);
}

function send(data, options) {
  wanted.push([Buffer.from(data), Boolean(options.binary)]);
  ws.send(data, options);
}

ws.on("error", (e) => fail(e.message));
ws.on("open", () => {
  for (const compress of [true, false])
    for (const size of sizes) {
      send("ä€𝄞.".repeat(size / 10).padEnd(size / 2, "*"), { compress });
      send(Buffer.alloc(size, 254), { binary: true, compress });
    }
  wanted.push([Buffer.from("in three fragments"), false]);
  ws.send("in ", { fin: false });
  ws.ping("between");
  ws.send("three ", { fin: false });
  ws.send("fragments", { fin: true });
});
let pongs = 0;
ws.on("pong", (data) => {
  if (data.toString() !== "between") fail(`pong ${data}`);
  pongs++;
});
ws.on("message", (data, isBinary) => {
  const [payload, binary] = wanted[got++] || [];
  if (!payload || binary !== isBinary || !payload.equals(data))
    fail(`message ${got} of ${data.length} bytes`);
  if (got === wanted.length) ws.close(+process.argv[3] || 1000, "enough");
});
ws.on("close", (code) => {
  if (got !== wanted.length || pongs !== 1) fail(`only ${got}, ${pongs} pongs`);
  console.log(`ok ${got} ${code} ${ws.protocol} ${ws.extensions.split(";")[0]}`);
});
