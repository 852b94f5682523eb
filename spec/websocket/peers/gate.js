// A server by Node's ws: node gate.js PORT. See gate.py.
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: +process.argv[2],
  perMessageDeflate: { threshold: 0, clientNoContextTakeover: true, serverMaxWindowBits: 10 },
  handleProtocols: (offered) => ["feed.v2", "chat"].find((name) => offered.has(name)) || false,
  verifyClient: (info, decide) => {
    if (info.req.url.startsWith("/refuse")) decide(false, 403, "not you\n", { "X-Why": "because" });
    else decide(true);
  },
});
server.on("connection", (ws, request) => {
  const path = request.url;
  ws.on("error", () => {});
  if (path === "/say") {
    ws.send(JSON.stringify([request.headers.origin || null, ws.protocol || null,
      request.headers.cookie || null, Object.keys(ws._extensions)]));
  }
  ws.on("message", (data, isBinary) => {
    if (path === "/close") ws.close(3001, "enough");
    else if (path === "/drop") ws.terminate();
    else ws.send(data, { binary: isBinary });
  });
});
