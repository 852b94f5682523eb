// An HTTP client by Node, http with an agent or, with a fifth argument, fetch (undici):
// node client.js PORT REQUESTS CONNECTIONS WARMUP [fetch]
"use strict";
const http = require("http");

const [port, count, conns, warmup] = process.argv.slice(2, 6).map(Number);
const url = `http://127.0.0.1:${port}/`;
const agent = new http.Agent({ keepAlive: true, maxSockets: conns, maxFreeSockets: conns });
let left = 0, errors = 0;

const get = () => new Promise((resolve, reject) => {
  http.get(url, { agent }, (answer) => {
    let body = "";
    answer.setEncoding("utf8");
    answer.on("data", (text) => { body += text; });
    answer.on("end", () => resolve(answer.statusCode === 200 && body === "hello\n"));
  }).on("error", reject);
});

const fetched = async () => {
  const answer = await fetch(url);
  return await answer.text() === "hello\n" && answer.status === 200;
};

const one = process.argv[6] ? fetched : get;

async function ask() {
  while (left > 0) {
    left--;
    if (!await one().catch(() => false)) errors++;
  }
}

async function run(n) {
  left = n;
  await Promise.all(Array.from({ length: conns }, ask));
}

(async () => {
  await run(warmup);
  const before = process.cpuUsage(), start = process.hrtime.bigint();
  await run(count);
  const used = process.cpuUsage(before);
  const wall = Number(process.hrtime.bigint() - start) / 1e9;
  console.log(`requests=${count} errors=${errors} seconds=${wall.toFixed(3)} ` +
    `cpu_ns=${Math.round((used.user + used.system) * 1000 / count)}`);
  process.exit(errors ? 1 : 0);
})();
