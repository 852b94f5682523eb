// An echo by Node's ws: node echo.js PORT. Messages come back as they are, compressed if the
// client offers it; /chat speaks the sub-protocol "chat". Tells on a line that it listens.
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: +process.argv[2],
  maxPayload: 17 << 20,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});
