--- The style of the status page.
-- @module green.status.style

return [==[
:root {
  color-scheme: light dark;
  --back: #f6f7f5; --card: #fff; --text: #1c221d; --dim: #5b665d; --line: #dde3dc;
  --accent: #1f7a45; --bar: #35a566; --warn: #a15c00; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #121613; --card: #1b211c; --text: #e6ece6; --dim: #9aa69c; --line: #2d362f;
    --accent: #6fd398; --bar: #3fae6d; --warn: #f0b35a; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center;
  justify-content: space-between; margin-bottom: 1rem; }
h1 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
#about { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
.live { display: flex; align-items: center; gap: .75rem; }
#state { color: var(--dim); }
#state::before { content: "\25CF"; margin-right: .4em; color: var(--dim); }
#state.on::before { color: var(--bar); }
#state.off { color: var(--bad); }
#state.off::before { color: var(--bad); }
button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .35rem .9rem; min-width: 6rem; cursor: pointer; }
button:hover { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: .9rem 1rem; margin-bottom: 1rem; }
#cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem;
  padding: 0; border: 0; background: none; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: .8rem 1rem; min-width: 0; }
.card .name { color: var(--dim); font-size: .85rem; }
.card .value { font-size: 1.55rem; font-weight: 650; line-height: 1.25;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.card .more { color: var(--dim); font-size: .82rem; min-height: 2.4em; }
.card svg { display: block; width: 100%; height: 2.2rem; margin-top: .4rem; }
.card polyline { fill: none; stroke: var(--bar); stroke-width: 1.5; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; }
.two > div { min-width: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--dim); font-size: .82rem;
  white-space: nowrap; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th.n, td.n { text-align: right; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 11rem; }
td:last-child, th:last-child { padding-right: 0; }
td pre { margin: .2rem 0 0; font-size: .78rem; white-space: pre-wrap; color: var(--dim); }
.tag { display: inline-block; padding: 0 .5em; border-radius: 1em; border: 1px solid var(--line);
  font-size: .82rem; }
.tag.running, .tag.ready { color: var(--accent); border-color: currentColor; }
.warn { color: var(--warn); }
.bad { color: var(--bad); }
.note { margin: 0; color: var(--dim); }
.states { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 0 0 .7rem; color: var(--dim); }
.states b { color: var(--text); font-variant-numeric: tabular-nums; }
.bars { display: grid; grid-template-columns: auto 1fr auto; gap: .15rem .7rem; align-items: center;
  font-size: .85rem; font-variant-numeric: tabular-nums; max-width: 46rem; }
.bars .edge { color: var(--dim); text-align: right; white-space: nowrap; }
.bars .bar { height: .8rem; min-width: 2px; border-radius: .2rem; background: var(--bar); }
.bars .bar.slow { background: var(--warn); }
.bars .bar.stop { background: var(--bad); }
@media (max-width: 34rem) {
  body { padding: .7rem; font-size: 14px; }
  #cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
  .card { padding: .65rem .75rem; }
  .card .value { font-size: 1.25rem; }
  section { padding: .75rem; }
}
]==]
