// A client by Node's ws: node visit.js URL. See visit.py; it knows draft 8, too.
"use strict";
const { WebSocket } = require("ws");

const SIZES = [0, 1, 125, 126, 65535, 65536, 300000];
const url = process.argv[2];
const here = url.replace("ws", "http").replace(/\/$/, "");
const VISITS = [
  ["plain", { perMessageDeflate: false }],
  ["compressed", { perMessageDeflate: { threshold: 0 } }],
  ["narrow", { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9,
    serverNoContextTakeover: true } }],
  ["protocol", { perMessageDeflate: false, protocols: ["other", "chat"] }],
  ["own page", { perMessageDeflate: false, origin: here }],
  ["other page", { origin: "http://evil.example" }],
  ["draft 8", { perMessageDeflate: false, protocolVersion: 8, origin: here }],
];

function visit(name, options) {
  return new Promise((done) => {
    const ws = new WebSocket(url, options.protocols || [], options);
    const waiting = [];
    const send = (data) => { waiting.push(Buffer.from(data)); ws.send(data); };
    ws.on("unexpected-response", (_, response) => {
      console.log(name, response.statusCode);
      ws.removeAllListeners("close").on("error", () => {});
      ws.terminate();
      done();
    });
    ws.on("open", () => {
      for (const size of SIZES) {
        send("é".repeat(size >> 1) + "x".repeat(size & 1));
        send(Buffer.alloc(size, 255));
      }
    });
    ws.on("message", (data) => {
      if (!waiting.shift().equals(data)) throw new Error("another message came back");
      if (!waiting.length) ws.send("bye");
    });
    ws.on("close", (code) => {
      console.log(name, ws.protocol || "None", Object.keys(ws._extensions).join(), code);
      done();
    });
  });
}

(async () => {
  for (const [name, options] of VISITS) await visit(name, options);
})();
