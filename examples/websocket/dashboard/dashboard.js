// The numbers as they come, and a line of the last minute for each.

const CARDS = [
  ["viewers", "Viewers", ""], ["requests", "Requests", "a second"], ["cpu", "CPU", "% of one"],
  ["memory", "Memory", "MiB"], ["lua", "Lua's part", "MiB"], ["threads", "Green threads", ""],
  ["switches", "Switches", "a second"], ["turns", "Turns of the loop", "a second"],
  ["timers", "Timers", ""], ["fds", "Descriptors", ""],
]
const POINTS = 60, WIDTH = 120, HEIGHT = 32
const SVG = "http://www.w3.org/2000/svg"
const FIRST_WAIT = 500, LONGEST_WAIT = 15000 // milliseconds between two tries

const cards = new Map()
for (const [name, title, unit] of CARDS) {
  const box = document.createElement("div"), dt = document.createElement("dt")
  const dd = document.createElement("dd"), value = document.createElement("b")
  const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "polyline")
  dt.textContent = title
  value.textContent = "–"
  value.id = name
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute("preserveAspectRatio", "none")
  svg.setAttribute("aria-hidden", "true")
  svg.append(line)
  dd.append(value, " " + unit)
  box.append(dt, dd, svg)
  document.getElementById("cards").append(box)
  cards.set(name, { value, line, points: [] })
}

function show(name, text) {
  const card = cards.get(name)
  if (!card) return
  const number = +text
  card.points.push(number)
  if (card.points.length > POINTS) card.points.shift()
  card.value.textContent = number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 })
  const most = Math.max(...card.points, 1e-9), step = WIDTH / (POINTS - 1)
  const from = POINTS - card.points.length
  card.line.setAttribute("points", card.points.map((value, i) =>
    `${((from + i) * step).toFixed(1)},${(HEIGHT - 2 - value / most * (HEIGHT - 4)).toFixed(1)}`).join(" "))
}

function state(text, isBad) {
  const node = document.getElementById("state")
  node.textContent = text
  node.classList.toggle("bad", !!isBad)
}

let wait = FIRST_WAIT
function connect() {
  const ws = new WebSocket(new URL("numbers", location.href.replace(/^http/, "ws")))
  ws.onmessage = ({ data }) => {
    wait = FIRST_WAIT
    state("live")
    for (const [name, text] of new URLSearchParams(data)) show(name, text)
  }
  ws.onclose = () => {
    state("connection lost, trying again…", true)
    setTimeout(connect, wait * (0.5 + Math.random() / 2))
    wait = Math.min(wait * 2, LONGEST_WAIT)
  }
}
connect()
