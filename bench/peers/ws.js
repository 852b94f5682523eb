// A websocket echo by Node's ws: node ws.js PORT [deflate]
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: +process.argv[2],
  backlog: 4096,
  maxPayload: 1 << 24,
  perMessageDeflate: process.argv[3] === "deflate" && {
    threshold: 0,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
  },
});
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});
