// An HTTP hello by Node's http: node http.js PORT
"use strict";
const http = require("http");

const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 6 });
  response.end("hello\n");
});
server.keepAliveTimeout = 0;
server.listen({ port: +process.argv[2], host: "127.0.0.1", backlog: 4096 });
