// The link between a screen and the shell. Bytes are what is typed and what is shown; a text of
// ours is a size, or empty: a piece has been shown, send more.

import { plain, xterm } from "./screens.js"

const encoder = new TextEncoder()
const place = document.getElementById("screen"), state = document.getElementById("state")

function tell(text, kind) {
  state.textContent = text
  state.className = kind || ""
}

const screen = (window.Terminal ? xterm : plain)(place, {
  title: (text) => { document.title = document.querySelector("h1").textContent = text },
  type: (text) => send(encoder.encode(text)),
  bytes: (text) => send(Uint8Array.from(text, (c) => c.charCodeAt(0))),
  resize: (rows, cols) => send(`${rows}x${cols}`),
})

const address = new URL(`shell?rows=${screen.rows()}&cols=${screen.cols()}`, location)
address.protocol = "ws:"
const ws = new WebSocket(address)
ws.binaryType = "arraybuffer"

function send(what) {
  if (ws.readyState === WebSocket.OPEN) ws.send(what)
}

ws.onopen = () => { tell("connected", "live"); screen.focus() }
ws.onmessage = (event) => screen.show(new Uint8Array(event.data), () => send(""))
ws.onclose = (event) => tell(event.reason || "the connection is lost", "bad")
