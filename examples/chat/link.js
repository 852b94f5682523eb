// The connection to the chat. It comes back by itself and asks for what it has missed; what was
// said meanwhile waits here and is sent then. The key of a message tells what has come twice.

const FIRST_WAIT = 500, LONGEST_WAIT = 15000 // milliseconds between two tries
const QUIET = 25000, LOST = 50000 // without a word: ask; give up
const KEYS = 3000 // of a group that are remembered: more than the server's history has
const SLOW = 1500 // until what was too fast is said again

const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), b => b.toString(16).padStart(2, "0")).join("")

export class Link extends EventTarget {
  #name; #ws = null; #wait = FIRST_WAIT; #timer = 0; #heard = 0; #isOver = false
  #groups = new Map() // name -> { since, joined, keys }
  outbox = new Map() // key -> what was said and has not come back

  constructor(name) {
    super()
    this.#name = name
    this.#connect()
    this.#heard = Date.now()
    setInterval(() => this.#look(), 5000)
    addEventListener("online", () => this.#ws || this.#connect())
  }

  say(group, topic, text) {
    const message = { op: "said", key: newKey(), group, topic, text, by: this.#name,
      at: Math.floor(Date.now() / 1000) }
    this.outbox.set(message.key, message)
    this.#sayAgain(message)
    return message
  }

  typing(group, topic) { this.#send({ op: "typing", group, topic }) }
  search(group, words) { return this.#send({ op: "search", group, words }) }

  #sayAgain({ group, topic, key, text }) {
    if (this.#groups.get(group)?.joined) this.#send({ op: "say", group, topic, key, text })
  }

  #send(fields) {
    const isOpen = this.#ws?.readyState === WebSocket.OPEN
    if (isOpen) this.#ws.send(new URLSearchParams(fields))
    return isOpen
  }

  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })) }

  #connect() {
    clearTimeout(this.#timer)
    const ws = this.#ws = new WebSocket(new URL("chat", location.href.replace(/^http/, "ws")))
    ws.onopen = () => this.#send({ op: "hello", name: this.#name })
    ws.onmessage = event => {
      this.#heard = Date.now()
      if (this.#ws === ws) this.#receive(event.data)
    }
    ws.onclose = () => this.#ws === ws && this.#lost()
  }

  #lost() {
    this.#ws = null
    if (this.#isOver) return
    for (const group of this.#groups.values()) group.joined = false
    const wait = this.#wait * (0.5 + Math.random() / 2)
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT)
    this.#timer = setTimeout(() => this.#connect(), wait)
    this.#tell("state", { isOpen: false })
  }

  #look() {
    const quiet = Date.now() - this.#heard
    if (quiet > LOST && this.#ws) {
      const ws = this.#ws
      this.#heard = Date.now()
      this.#lost()
      ws.close()
    } else if (quiet > QUIET) this.#send({ op: "ping" })
  }

  #receive(text) {
    const form = new URLSearchParams(text), message = Object.fromEntries(form)
    const handle = this["on_" + message.op]
    if (handle) handle.call(this, message, form)
  }

  on_welcome(message, form) {
    const names = form.getAll("group")
    for (const name of names)
      if (!this.#groups.has(name)) this.#groups.set(name, { since: "0", keys: new Set() })
    this.#tell("welcome", { groups: names })
    for (const name of names) this.#join(name)
  }

  #join(name) { this.#send({ op: "join", group: name, since: this.#groups.get(name).since }) }

  on_gap({ group }) { // the server has begun anew, or we were away too long
    this.#groups.get(group).since = "0"
    this.#join(group)
    this.#tell("gap", { group })
  }

  on_joined({ group: name }) {
    const group = this.#groups.get(name)
    group.joined = true
    this.#wait = FIRST_WAIT
    for (const message of this.outbox.values()) if (message.group === name) this.#sayAgain(message)
    if ([...this.#groups.values()].every(g => g.joined)) this.#tell("state", { isOpen: true })
    this.#tell("joined", { group: name })
  }

  on_said(message) {
    const group = this.#groups.get(message.group)
    const mark = message.by + "\n" + message.key
    group.since = message.id
    if (message.by === this.#name) this.outbox.delete(message.key)
    if (group.keys.has(mark)) return
    group.keys.add(mark)
    if (group.keys.size > KEYS) group.keys.delete(group.keys.values().next().value)
    this.#tell("said", message)
  }

  on_here({ group, n }, form) { this.#tell("here", { group, n: +n, names: form.getAll("name") }) }
  on_typing(message) { if (message.by !== this.#name) this.#tell("typing", message) }

  on_found({ group, words }, form) {
    const hits = form.getAll("hit").map(hit => Object.fromEntries(new URLSearchParams(hit)))
    this.#tell("found", { group, words, hits })
  }

  on_error(problem) {
    const message = this.outbox.get(problem.key)
    if (problem.of === "hello") {
      this.#isOver = true
      this.#ws.close()
      this.#tell("refused", problem)
    } else if (problem.of === "join") this.#ws.close() // and try again
    else if (message && problem.code !== "bad") setTimeout(() => this.#sayAgain(message), SLOW)
    else {
      this.outbox.delete(problem.key)
      this.#tell("problem", { what: problem.what, message })
    }
  }
}
