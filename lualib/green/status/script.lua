--- The script of the status page: it asks for JSON every two seconds, and shows it. All that
-- comes is put in as text.
-- @module green.status.script

return [==[
"use strict";
const EVERY = 2000, KEPT = 90;
const $ = id => document.getElementById(id);

// -- Making elements: a child that is no element is text ---------------------------
function make(name, kind, ...children) {
  const e = document.createElement(name);
  if (kind) e.className = kind;
  for (const c of children)
    if (c !== undefined && c !== null && c !== "") e.append(c instanceof Node ? c : String(c));
  return e;
}
const note = text => make("p", "note", text);
const show = (id, ...children) => $(id).replaceChildren(...children);

// -- Numbers in words --------------------------------------------------------------
const count = n => n == null ? "–" : Math.round(n).toLocaleString("en-US");
const digits = n => n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
function seconds(s) {
  if (s == null) return "–";
  if (s < 1e-3) return digits(s * 1e6) + " µs";
  if (s < 1) return digits(s * 1e3) + " ms";
  if (s < 120) return digits(s) + " s";
  if (s < 7200) return (s / 60).toFixed(0) + " min";
  return s < 172800 ? (s / 3600).toFixed(1) + " h" : (s / 86400).toFixed(0) + " days";
}
function bytes(n) {
  if (n == null) return "–";
  let i = 0;
  for (; n >= 1024 && i < 4; i++) n /= 1024;
  return (i ? digits(n) : n.toFixed(0)) + " " + ["B", "KB", "MB", "GB", "TB"][i];
}
const rate = n => n == null ? "–" : n >= 100 ? count(n) : digits(n);

// -- What there was, for the lines in the cards -------------------------------------
const past = {};
let last = null;
function remember(name, value) {
  const list = past[name] || (past[name] = []);
  list.push(value || 0);
  if (list.length > KEPT) list.shift();
  return list;
}
function line(list) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "polyline");
  const room = Math.max(list.length, 30), from = room - list.length, step = 100 / (room - 1);
  const most = Math.max(...list, 1e-9);
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("points", list.map((v, i) =>
    ((from + i) * step).toFixed(2) + "," + (19 - 18 * v / most).toFixed(2)).join(" "));
  svg.append(path);
  return svg;
}
function card(name, value, more, drawn) {
  return make("div", "card", make("div", "name", name), make("div", "value", value),
    make("div", "more", more), line(remember(name, drawn)));
}

// How much a sum has grown a second since the last look.
function speed(d, get) {
  return last && d.now > last.now ? Math.max(0, get(d) - get(last)) / (d.now - last.now) : null;
}
const sum = (list, field) => list.reduce((n, one) => n + (one[field] || 0), 0);

// -- Tables: columns are [title, text of a row, class] -------------------------------
function table(columns, rows) {
  const head = make("tr", ""), body = make("tbody", "");
  for (const [title, , kind] of columns) {
    const th = make("th", kind, title);
    th.scope = "col";
    head.append(th);
  }
  for (const row of rows) {
    const tr = make("tr", "");
    for (const [, cell, kind] of columns) tr.append(make("td", kind, cell(row)));
    body.append(tr);
  }
  return make("div", "wide", make("table", "", make("thead", "", head), body));
}
function states(...pairs) {
  return make("p", "states", ...pairs.map(([name, value]) =>
    make("span", "", make("b", "", value), " " + name)));
}

// -- Parts ---------------------------------------------------------------------------
function showCards(d) {
  const requests = speed(d, x => sum(x.servers, "requests")), cpu = speed(d, x => x.process.cpu);
  const p = d.process, t = d.threads, l = d.loop.latency;
  const fresh = last && last.loop.latency, turns = fresh ? l.count - fresh.count : 0;
  const mean = turns > 0 ? (l.sum - fresh.sum) / turns : null;
  show("cards",
    card("Requests a second", rate(requests), count(sum(d.servers, "requests")) + " in all, "
      + count(sum(d.servers, "busy")) + " in hand", requests),
    card("Green threads", count(t.alive), count(t.ready) + " ready, " + count(t.spawned)
      + " spawned", t.alive),
    card("Turn of the loop", seconds(mean), "p99 " + seconds(l.p99) + ", longest "
      + seconds(l.most), mean),
    card("Processor", cpu == null ? "–" : digits(100 * cpu) + " %", seconds(p.cpu) + " in all",
      cpu),
    card("Memory", bytes(p.resident), "Lua " + bytes(d.memory.lua), p.resident),
    card("Descriptors", count(p.fds), "of " + (p.max_fds == null ? "any number"
      : count(p.max_fds)) + "; " + count(d.sockets.idle) + " idle", p.fds));
}
const answered = (s, i) => s.answers ? count(s.answers[i]) : "–";
function showServers(d) {
  if (!d.servers.length) return show("servers", note("No HTTP server runs here."));
  const of = name => s => seconds(s.latency && s.latency[name]);
  show("servers", table([
    ["Address", s => s.url, "text"],
    ["Requests/s", s => rate(s.rate), "n"],
    ["p50", of("p50"), "n"], ["p90", of("p90"), "n"], ["p99", of("p99"), "n"],
    ["p99.9", of("p999"), "n"], ["Longest", of("most"), "n"],
    ["4xx", s => answered(s, 3), "n"],
    ["5xx", s => make("span", s.answers && s.answers[4] ? "bad" : "", answered(s, 4)), "n"],
    ["Requests", s => count(s.requests), "n"],
    ["In hand", s => count(s.busy), "n"],
    ["Open", s => count(s.connections), "n"], ["Idle", s => count(s.idle), "n"],
    ["Failed", s => make("span", s.failed ? "bad" : "", count(s.failed)), "n"],
  ], d.servers));
}
function showRequests(d) {
  const rows = [].concat(...d.servers.map(s => s.list)).sort((a, b) => b.age - a.age);
  if (!rows.length) return show("requests", note("None."));
  const columns = [["Method", r => r.method, ""],
    ["Path", r => r.path + (r.query ? "?" + r.query : ""), "text"]];
  if (rows.some(r => r.peer)) columns.push(["Peer", r => r.peer, ""]);
  if (rows.some(r => r.headers)) columns.push(["Headers", r => make("pre", "",
    (r.headers || []).map(h => h.name + ": " + h.value).join("\n")), "text"]);
  columns.push(["For", r =>
    make("span", r.age > 1 ? "bad" : r.age > .1 ? "warn" : "", seconds(r.age)), "n"]);
  show("requests", table(columns, rows));
}
function showTurns(d) {
  const l = d.loop.latency, counts = l.counts, most = Math.max(...counts);
  if (!l.count) return show("turns", note("None was measured yet."));
  const first = counts.findIndex(n => n);
  const end = counts.length - [...counts].reverse().findIndex(n => n);
  const bars = make("div", "bars");
  for (let i = first; i < end; i++) {
    const below = 2 ** (10 + i) * 1e-9;
    const bar = make("div", "bar" + (below > .1 ? " stop" : below > .01 ? " slow" : ""));
    bar.style.width = 100 * Math.log1p(counts[i]) / Math.log1p(most) + "%";
    bar.style.visibility = counts[i] ? "" : "hidden";
    bars.append(make("div", "edge", "< " + seconds(below)), make("div", "", bar),
      make("div", "n", count(counts[i])));
  }
  show("turns", states(["turns", count(d.loop.turns)], ["p50", seconds(l.p50)],
    ["p90", seconds(l.p90)], ["p99", seconds(l.p99)], ["p99.9", seconds(l.p999)],
    ["longest", seconds(l.most)], ["switches", count(d.loop.switches)],
    ["timers", count(d.loop.timers)]), bars);
}
function showThreads(d) {
  const t = d.threads;
  const parts = [states(["alive", count(t.alive)], ["ready", count(t.ready)],
    ["wait for a descriptor", count(t.io)], ["wait otherwise", count(t.waiting)],
    ["spawned", count(t.spawned)], ["ended", count(t.ended)])];
  const columns = [["Name", r => r.name || "–", "text"],
    ["State", r => make("span", "tag " + r.state, r.state), ""]];
  if (t.list.some(r => r.waits))
    columns.push(["Waits for", r => (r.waits || "") + (r.at ? " at " + r.at : ""), "text"],
      ["Since", r => r.waited == null ? "" : seconds(r.waited), "n"]);
  columns.push(["Spawned at", r => r.site || "", "text"]);
  if (t.list.some(r => r.traceback))
    columns.push(["Traceback", r => make("pre", "", r.traceback || ""), "text"]);
  if (t.list.length) parts.push(table(columns, t.list));
  if (t.more) parts.push(note("There are more."));
  show("threads", ...parts);
}
function showJobs(d) {
  if (!d.jobs.length) return show("jobs", note("No pool is in use."));
  show("jobs", table([["Pool", j => j.name, ""], ["Threads", j => count(j.threads), "n"],
    ["At work", j => count(j.at_work), "n"], ["In line", j => count(j.queued), "n"],
    ["Lost", j => make("span", j.lost ? "bad" : "", count(j.lost)), "n"],
    ["Done", j => count(j.done), "n"]], d.jobs));
}
function showMemory(d) {
  const m = d.memory, s = m.steps;
  show("memory", table([["", r => r[0], ""], ["", r => r[1], "n"]], [
    ["Lua's objects", bytes(m.lua)], ["Resident", bytes(d.process.resident)],
    ["Cycles of the collector", count(m.cycles)],
    ["Steps of it that were measured", count(s.count)],
    ["p99 of these", s.count ? seconds(s.p99) : "–"],
    ["Longest of these", s.count ? seconds(s.most) : "–"]]));
}
function showStalls(d) {
  const s = d.stalls;
  if (!s) return show("stalls", note("The blocking detector is off."));
  show("stalls", states(["stalls of more than " + seconds(s.resolution), count(s.count)],
    ["longest", seconds(s.longest)], ["all together", seconds(s.total)]));
}
function showAbout(d) {
  const p = d.process;
  $("about").textContent = ["greenlua " + p.version, p.luajit, p.backend, "pid " + p.pid
    + (p.thread !== p.pid ? ", thread " + p.thread : ""), "up " + seconds(p.uptime)].join(" · ");
}

// -- Time ----------------------------------------------------------------------------
let timer = 0, paused = false;
function state(text, kind) {
  $("state").textContent = text;
  $("state").className = kind;
}
async function look() {
  try {
    const answer = await fetch("?format=json", { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw new Error("status " + answer.status);
    const d = await answer.json();
    for (const part of [showAbout, showCards, showStalls, showServers, showRequests, showTurns,
      showThreads, showJobs, showMemory]) part(d);
    last = d;
    state(paused ? "paused" : "live", paused ? "" : "on");
  } catch (e) {
    state("no answer: " + e.message, "off");
  }
  clearTimeout(timer);
  if (!paused) timer = setTimeout(look, EVERY);
}
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").textContent = paused ? "Go on" : "Pause";
  $("pause").setAttribute("aria-pressed", String(paused));
  clearTimeout(timer);
  if (paused) state("paused", ""); else look();
});
look();
]==]
