// What a shell is shown on: xterm.js, or a page of lines where there is none. Each is made in an
// element, tells what is typed to `on`, and shows bytes.

const COLOURS = { background: "#14171c", foreground: "#d7dce4", cursor: "#4ade80" }
const FONT = 'ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace'
const LINES = 5000 // that are kept

export function xterm(place, on) {
  const term = new window.Terminal({ theme: COLOURS, fontFamily: FONT, fontSize: 14,
    lineHeight: 1.15, cursorBlink: true, scrollback: LINES })
  term.open(place)

  /// As many rows and columns as there is room for.
  function fit() {
    const cells = place.querySelector(".xterm-screen"), style = getComputedStyle(place)
    const width = place.clientWidth - parseFloat(style.paddingLeft) * 2 - 14 // the scroll bar
    const height = place.clientHeight - parseFloat(style.paddingTop) * 2
    const cols = Math.floor(width / (cells.offsetWidth / term.cols))
    const rows = Math.floor(height / (cells.offsetHeight / term.rows))
    if (cols > 1 && rows > 1) term.resize(cols, rows)
  }
  fit()
  new ResizeObserver(fit).observe(place)
  term.onData(on.type)
  term.onBinary(on.bytes)
  term.onTitleChange(on.title)
  term.onResize(({ rows, cols }) => on.resize(rows, cols))
  return {
    rows: () => term.rows,
    cols: () => term.cols,
    show: (bytes, done) => term.write(bytes, done),
    focus: () => term.focus(),
  }
}

export function plain(place, on) {
  const log = document.createElement("pre"), form = document.createElement("form")
  const label = document.createElement("label"), input = document.createElement("input")
  const decoder = new TextDecoder()
  place.classList.add("plain")
  log.setAttribute("role", "log")
  log.tabIndex = 0
  label.textContent = "›"
  label.htmlFor = input.id = "line"
  Object.assign(input, { autocomplete: "off", spellcheck: false, ariaLabel: "A line for the shell",
    placeholder: "a line for the shell; Ctrl-C and Ctrl-D work" })
  input.setAttribute("autocapitalize", "off")
  form.append(label, input)
  place.append(log, form)
  form.onsubmit = (event) => {
    event.preventDefault()
    on.type(input.value + "\n")
    input.value = ""
  }
  input.onkeydown = (event) => {
    const key = event.ctrlKey && "cd".indexOf(event.key)
    if (key === false || key < 0 || input.selectionStart !== input.selectionEnd) return
    event.preventDefault()
    on.type("\x03\x04"[key])
  }

  /// Text without what only a terminal understands.
  function clean(text) {
    return text.replace(/\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[ -/]*[0-~])/g, "")
      .replace(/\r+\n/g, "\n").replace(/[^\n]*\r(?!\n)/g, "").replace(/[\0-\x08\x0b-\x1f]/g, "")
  }
  return {
    rows: () => 24,
    cols: () => 80,
    show(bytes, done) {
      const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
      log.append(clean(decoder.decode(bytes, { stream: true })))
      const lines = log.textContent.split("\n")
      if (lines.length > LINES) log.textContent = lines.slice(-LINES).join("\n")
      if (isAtEnd) log.scrollTop = log.scrollHeight
      done()
    },
    focus: () => input.focus(),
  }
}
