// Lines as they come, each file's name in a colour of its own.

const MOST = 5000 // lines that are kept
const list = document.getElementById("lines"), state = document.getElementById("state")
const words = document.getElementById("words"), stay = document.getElementById("stay")

function colour(name) {
  let sum = 0
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 360
  return `hsl(${sum} 65% var(--shade))`
}

function filter(item) {
  item.hidden = !item.textContent.toLowerCase().includes(words.value.toLowerCase())
}

function add(name, text) {
  const item = document.createElement("li"), file = document.createElement("b")
  const line = document.createElement("span")
  file.textContent = "\u200e" + name // from the left, though it is cut off there
  file.title = name
  file.style.color = colour(name)
  line.textContent = text
  item.append(file, line)
  filter(item)
  list.append(item)
  if (list.children.length > MOST) list.firstChild.remove()
}

const source = new EventSource("lines")
source.onopen = () => { state.textContent = "live"; state.className = "" }
source.onerror = () => { state.textContent = "the connection is lost…"; state.className = "bad" }
source.onmessage = (event) => {
  const [name, text] = event.data.split("\n")
  add(name, text)
  if (stay.checked) list.scrollTop = list.scrollHeight
}
words.oninput = () => {
  for (const item of list.children) filter(item)
  if (stay.checked) list.scrollTop = list.scrollHeight
}
