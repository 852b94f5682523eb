// The page: what has come is kept in `groups`, and shown. Whatever people wrote goes into the page
// as text (textContent), never as HTML.

import { Link } from "./link.js"

const $ = id => document.getElementById(id)
const KEPT = 1000 // messages of a topic
const TYPING = 4000, HINT = 2000 // milliseconds: a hint holds; between two of ours

const groups = new Map() // name -> { topics, here, n }
let link, me, group, topic // where we are
let kept = {}
try { kept = JSON.parse(localStorage.chat) } catch { /* nobody was here */ }
kept.seen ??= {} // place -> id of the last message that was read

const keep = () => { try { localStorage.chat = JSON.stringify(kept) } catch { /* private */ } }

function make(tag, className, text) {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

// -- What there is ---------------------------------------------------------------

function topicOf(groupName, topicName) {
  const topics = groups.get(groupName).topics
  if (!topics.has(topicName)) topics.set(topicName, { messages: [], unread: 0, writing: new Map() })
  return topics.get(topicName)
}

const isShown = (g, t) => g === group && t === topic
const isRead = (g, t) => isShown(g, t) && document.visibilityState === "visible"
const place = (g, t) => g + "/" + t

function markRead() {
  if (!topic) return
  const here = topicOf(group, topic), last = here.messages.at(-1)
  here.unread = 0
  if (last) kept.seen[place(group, topic)] = last.id
  keep()
}

function onSaid({ detail: message }) {
  const there = topicOf(message.group, message.topic), where = place(message.group, message.topic)
  there.messages.push(message)
  there.writing.delete(message.by)
  if (there.messages.length > KEPT) there.messages.shift()
  if (message.id === kept.seen[where]) there.unread = 0
  else if (message.by !== me) there.unread++
  if (isRead(message.group, message.topic)) markRead()
  if (isShown(message.group, message.topic)) addLine(message)
  showNav()
  showTyping()
}

// -- Groups and topics -------------------------------------------------------------

function topicButton(g, t, there) {
  const button = make("button", "topic"), name = make("span", "name", t)
  button.type = "button"
  button.append(name)
  if (isShown(g, t)) button.setAttribute("aria-current", "page")
  if (there.unread) {
    button.classList.add("unread")
    button.append(make("span", "badge", there.unread > 99 ? "99+" : there.unread),
      make("span", "hidden", "unread"))
  }
  button.onclick = () => open(g, t)
  button.dataset.place = place(g, t)
  return button
}

let navIsDue = false
function showNav() { // many messages, one picture
  if (navIsDue) return
  navIsDue = true
  setTimeout(() => { navIsDue = false; drawNav() }, 30)
}

function drawNav() {
  const focused = document.activeElement?.dataset?.place
  let all = 0
  $("groups").replaceChildren(...[...groups].map(([g, { topics, n }]) => {
    const section = make("section"), list = make("ul"), title = make("h2", "", g)
    section.setAttribute("aria-label", g)
    if (n) title.append(make("span", "count", n), make("span", "hidden", "here"))
    for (const [t, there] of topics) {
      const item = make("li")
      item.append(topicButton(g, t, there))
      list.append(item)
      all += there.unread
    }
    section.append(title, list)
    return section
  }))
  if (focused) document.querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus()
  $("all-unread").hidden = !all
  $("all-unread").textContent = all > 99 ? "99+" : all
  document.title = (all ? `(${all}) ` : "") + (topic ? topic + " – Chat" : "Chat")
}

function open(g, t, isQuiet) {
  group = g
  topic = t
  Object.assign(kept, { group, topic })
  topicOf(g, t)
  markRead()
  $("group-title").textContent = $("topic-group").textContent = g
  $("title").textContent = t
  $("found").hidden = true
  $("text").placeholder = "Write in " + t
  view("talk")
  drawLog()
  drawNav()
  drawPeople()
  showTyping()
  if (!isQuiet) (matchMedia("(min-width: 760px)").matches ? $("text") : $("title")).focus()
}

// -- Messages ------------------------------------------------------------------------

const hue = name => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7)

function face(name) {
  const node = make("span", "face", [...name][0].toUpperCase())
  node.style.setProperty("--hue", hue(name))
  node.setAttribute("aria-hidden", "true")
  return node
}

function timeOf(at) {
  const date = new Date(at * 1000), node = make("time", "",
    date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }))
  node.dateTime = date.toISOString()
  node.title = date.toLocaleString()
  return node
}

function line(message) {
  const item = make("li", message.id ? "" : "waits"), body = make("div", "body")
  const head = make("p", "who")
  head.append(make("b", "", message.by), " ", timeOf(message.at))
  if (!message.id) head.append(make("span", "note", "not sent yet"))
  body.append(head, make("p", "what", message.text))
  item.append(face(message.by), body)
  if (message.by === me) item.classList.add("mine")
  Object.assign(item.dataset, { by: message.by, key: message.key, at: message.at })
  return item
}

/** The same person again, within minutes: no face, no name. */
function follow(item, { by, at } = {}) {
  if (by === item.dataset.by && item.dataset.at - at < 300) item.classList.add("more")
}

const isAtEnd = () => $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 80
const toEnd = () => { $("log").scrollTop = $("log").scrollHeight }

function addLine(message) {
  const lines = $("lines"), follows = isAtEnd() || message.by === me
  const old = lines.querySelector(`.waits[data-key="${CSS.escape(message.key)}"]`)
  if (old) old.remove()
  lines.querySelector(".empty")?.remove()
  const item = line(message), waiting = lines.querySelector(".waits")
  if (message.id && waiting) lines.insertBefore(item, waiting)
  else lines.append(item)
  follow(item, item.previousElementSibling?.dataset)
  if (lines.children.length > KEPT) lines.firstElementChild.remove()
  if (follows) toEnd()
}

/** All at once: nobody wants that read aloud. */
function drawLog() {
  const log = $("log")
  log.setAttribute("aria-live", "off")
  $("lines").replaceChildren()
  for (const message of topicOf(group, topic).messages) addLine(message)
  for (const message of link.outbox.values())
    if (isShown(message.group, message.topic)) addLine(message)
  if (!$("lines").children.length) $("lines").append(make("li", "empty", "Nothing has been said here yet."))
  toEnd()
  setTimeout(() => log.setAttribute("aria-live", "polite"), 200)
}

// -- Who is there, who writes ----------------------------------------------------------

function drawPeople() {
  const { here, n } = groups.get(group)
  $("n-people").textContent = $("n-people-bar").textContent = n || ""
  const items = here.slice().sort((a, b) => a.localeCompare(b)).map(name => {
    const item = make("li")
    item.append(face(name), make("span", "name", name))
    if (name === me) item.append(make("span", "note", "you"))
    return item
  })
  if (n > here.length) items.push(make("li", "note", `and ${n - here.length} more`))
  $("here").replaceChildren(...items)
}

function showTyping() {
  const names = group ? [...topicOf(group, topic).writing.keys()] : []
  $("typing").textContent = names.length > 3 ? "several people are writing…"
    : names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} writing…` : ""
}

function onTyping({ detail: { group: g, topic: t, by } }) {
  const { writing } = topicOf(g, t)
  clearTimeout(writing.get(by))
  writing.set(by, setTimeout(() => { writing.delete(by); showTyping() }, TYPING))
  showTyping()
}

// -- Searching ------------------------------------------------------------------------

function onFound({ detail: { group: g, words, hits } }) {
  const count = hits.length === 1 ? "One message" : `${hits.length || "No"} messages`
  $("found-title").textContent = `${count} with “${words}” in ${g}`
  $("hits").replaceChildren(...hits.map(hit => {
    const item = make("li"), button = make("button", "hit"), head = make("span", "who")
    button.type = "button"
    head.append(make("b", "", hit.by), ` in ${hit.topic} `, timeOf(hit.at))
    button.append(head, make("span", "what", hit.text))
    button.onclick = () => {
      open(hit.group, hit.topic)
      const found = document.querySelector(`#log [data-key="${CSS.escape(hit.key)}"]`)
      found?.scrollIntoView({ block: "center" })
      found?.classList.add("hit")
    }
    item.append(button)
    return item
  }))
  $("found").hidden = false
  $("found-title").focus()
}

function closeFound() {
  $("found").hidden = true
  $("words").value = ""
  $("words").focus()
}

// -- The page's parts ------------------------------------------------------------------

/** On a phone one of three is seen; on a desk all are. */
function view(name) {
  document.body.dataset.view = name
  $("show-nav").setAttribute("aria-expanded", name === "nav")
  $("show-people").setAttribute("aria-expanded", name === "people")
}

const toggle = name => view(document.body.dataset.view === name ? "talk" : name)

function state(text, isBad) {
  $("state").textContent = text
  $("state").classList.toggle("bad", !!isBad)
}

function fit() {
  $("text").style.height = "auto"
  $("text").style.height = Math.min($("text").scrollHeight, 160) + "px"
}

function say() {
  const text = $("text").value.trim()
  if (!text) return
  const message = link.say(group, topic, text)
  $("text").value = ""
  fit()
  addLine(message)
  $("text").focus()
}

let hinted = 0
function hint() {
  fit()
  if (!$("text").value || Date.now() - hinted < HINT) return
  hinted = Date.now()
  link.typing(group, topic)
}

function onWelcome({ detail }) {
  for (const name of detail.groups)
    if (!groups.has(name)) {
      groups.set(name, { topics: new Map(), here: [], n: 0 })
      topicOf(name, "General")
    }
  if (topic) return
  $("enter").close()
  const g = groups.has(kept.group) ? kept.group : detail.groups[0]
  open(g, kept.group === g && kept.topic || "General")
}

function enter(name) {
  state("connecting…")
  me = kept.name = sessionStorage.name = name // each window asks once
  keep()
  link = new Link(name)
  const on = { welcome: onWelcome, said: onSaid, typing: onTyping, found: onFound,
    here: ({ detail: { group: g, n, names } }) => {
      Object.assign(groups.get(g), { here: names, n })
      if (g === group) drawPeople()
      showNav()
    },
    state: ({ detail }) => detail.isOpen ? state("connected") : state("connection lost, trying again…", true),
    gap: ({ detail }) => state(`some of ${detail.group} may be missing`, true),
    problem: ({ detail: { what, message } }) => {
      state("not sent: " + what, true)
      if (message) { $("text").value ||= message.text; drawLog() }
    },
    refused: ({ detail }) => {
      me = undefined
      sessionStorage.removeItem("name")
      $("name-problem").textContent = detail.what
      if (!$("enter").open) $("enter").showModal()
    } }
  for (const type in on) link.addEventListener(type, on[type])
}

$("enter-form").onsubmit = event => { event.preventDefault(); enter($("name").value.trim()) }
$("enter").onclose = () => me || $("enter").showModal() // nobody is here without a name
$("say").onsubmit = event => { event.preventDefault(); say() }
$("text").onkeydown = event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say() }
}
$("text").oninput = hint
$("search").onsubmit = event => {
  event.preventDefault()
  const words = $("words").value.trim()
  if (words && !link.search(group, words)) state("not connected", true)
}
$("close-found").onclick = closeFound
$("new-topic").onsubmit = event => {
  event.preventDefault()
  const name = $("topic-name").value.trim()
  $("topic-name").value = ""
  if (name) open(group, name)
}
$("show-nav").onclick = () => toggle("nav")
$("show-people").onclick = () => toggle("people")
document.onkeydown = event => {
  if (event.key !== "Escape" || $("enter").open) return
  if (!$("found").hidden) closeFound()
  else view("talk")
}
document.onvisibilitychange = () => {
  if (document.visibilityState === "visible" && topic) { markRead(); drawNav() }
}

if (sessionStorage.name) enter(sessionStorage.name)
else {
  $("name").value = kept.name ?? ""
  $("enter").showModal()
}
