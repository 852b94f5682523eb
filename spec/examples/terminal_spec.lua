-- examples/terminal.lua: its shell over a websocket, who is let in, and how it looks.
-- Screenshots are left in the build's folder screenshots.

local green = require "green"
local devtools = require "spec.support.devtools"
local http = require "green.http"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local websocket = require "green.websocket"

local it = patient.busted()
local browse = devtools.busted()

local WAIT = 60 -- seconds that anything may take at most
local KEPT = 2000 -- bytes that are looked through again
local XTERM = os.getenv "XTERM_JS" -- the folder of npm's @xterm/xterm

--- Start one with these words: the program, and its address without the scheme. Parks.
local function start(...)
  local run = program.start { program.greenlua, "examples/terminal.lua", "--port", "0", ... }
  run:expect "terminal: serving on http://"
  return run, (run:expect "\n")
end

--- Wait for its end while the loop goes on. Parks.
local function ended(run)
  local due = green.now() + WAIT
  while not run:listen(0):poll() do
    assert(green.now() < due, "it does not end")
    green.sleep(0.01) -- a program of the kit's has no event
  end
  return run:wait()
end

--- Run body(target, run) beside one. Parks.
local function beside(words, body)
  local run, target = start(unpack(words))
  local ok, err = patient.try(body, target, run)
  if not run:poll() then run:kill(program.TERM) end
  ended(run)
  assert(ok, tostring(err) .. "\n" .. run.err)
  assert.same({ 0, "" }, { run.status, run.err })
end

local function with(words, body)
  return function() beside(words, body) end
end

local SH = { "env", "PS1=ready> ", "bash", "--norc", "--noprofile", "--noediting", "-i" }

-- -- Windows ----------------------------------------------------------------------

local window = {}
window.__index = window

local function open(target, query, headers)
  local ws, err = websocket.connect("ws://" .. target .. "shell?" .. (query or ""), {
    headers = headers or { Origin = "http://" .. target:match "^[^/]+" } })
  return ws and setmetatable({ ws = ws, seen = "" }, window), err
end

--- Type something.
function window:type(text)
  assert(self.ws:send_binary(text))
end

--- Wait until a text is shown, behind the last one that was. Parks.
function window:expect(text)
  while true do
    local _, to = self.seen:find(text, 1, true)
    if to then
      self.seen = self.seen:sub(to + 1)
      return
    end
    local piece, is_binary = self.ws:recv(WAIT)
    assert(piece, ("no %q, but %q %s"):format(text, self.seen, tostring(is_binary)))
    self.seen = self.seen:sub(-KEPT) .. piece
    self.ws:send ""
  end
end

--- What it was closed with. Parks.
function window:ended()
  while self.ws:recv(WAIT) do
    if not self.ws:send "" then break end
  end
  return self.ws.close_code, self.ws.close_reason
end

describe("examples/terminal.lua", function()
  it("has a shell in a terminal of the page's size", with(SH, function(target)
    local w = assert(open(target, "rows=33&cols=101"))
    w:expect "ready> "
    w:type "echo size $(stty size) $(tty)\r"
    w:expect "size 33 101 /dev/pts/"
    w.ws:send "40x120"
    w:type "echo size $(stty size)\r"
    w:expect "size 40 120"
    w:type "printf '<\\303\\244\\377\\000>'\r"
    w:expect "<\195\164\255\0>"
    w:type "exit 7\r"
    local code, reason = w:ended()
    assert.same({ 1000, "exit status 7" }, { code, reason })
  end))

  it("ends with its shell", function()
    local run, target = start(unpack(SH))
    local w = assert(open(target))
    w:type "kill -KILL $$\r"
    assert.same({ 1000, "killed by SIGKILL" }, { w:ended() })
    ended(run)
    assert.same({ 0, "" }, { run.status, run.err })
  end)

  it("hangs the shell up when the window is closed, and takes the next one",
    with(SH, function(target)
      local gone = os.tmpname()
      os.remove(gone)
      local w = assert(open(target))
      w:type("trap 'touch " .. gone .. "; exit' HUP; echo is $((6*7)); cat\r")
      w:expect "is 42"
      local second = assert(open(target))
      assert.same({ 1013, "there is a window already" }, { second:ended() })
      second = assert(open(target)) -- which waits for its place
      w.ws:close()
      second:type "echo $((6*9))\r"
      second:expect "54"
      second.ws:close()
      assert.is_true(os.remove(gone))
    end))

  it("shows Ctrl-C to what runs", with(SH, function(target)
    local w = assert(open(target))
    w:expect "ready> "
    -- It says so itself: until it has the terminal, Ctrl-C is the shell's, which waits for it.
    w:type "sh -c 'echo is $((2*3)); exec sleep 1000'\r"
    w:expect "is 6"
    w:type "\3"
    w:expect "^C"
    w:expect "ready> " -- what is typed before may be forgotten with what ran
    w:type "echo still $((40+2))\r"
    w:expect "still 42"
    w.ws:close()
  end))

  it("waits for a page that does not show what it sends", with(SH, function(target)
    local w = assert(open(target))
    w:type "yes | head -c 3000000; echo en''d\r"
    local got = 0
    for _ = 1, 5 do got = got + #assert(w.ws:recv(WAIT)) end -- and not a word to it
    assert.is_true(got < 3000000)
    w.seen = ""
    for _ = 1, 5 do w.ws:send "" end
    w:expect "end"
  end))

  it("shows what a shell writes that does not take what is pasted", with(SH, function(target)
    local w = assert(open(target))
    w:type "yes | head -c 3000000; echo en''d\r"
    w:expect "\ny"
    for _ = 1, 20 do w:type(("# a line\r"):rep(800)) end
    w:expect "\nend"
    w.ws:close()
  end))

  it("is seen by who knows the token alone, on pages of its own", with(SH, function(target)
    local session = http.session()
    local origin = "http://" .. target:match "^[^/]+"
    assert.matches("^127%.0%.0%.1:%d+/[%w_-]+/$", target)
    assert.equal(22, #target:match "/(.*)/") -- 16 bytes that nobody can guess
    for path, kind in pairs { [""] = "text/html", ["terminal.js"] = "text/javascript",
      ["screens.js"] = "text/javascript", ["terminal.css"] = "text/css",
      ["xterm.js"] = "text/javascript", ["xterm.css"] = "text/css" } do
      local answer = assert(session:get("http://" .. target .. path))
      assert.equal(200, answer.status)
      assert.equal(kind .. "; charset=utf-8", answer.headers["content-type"])
      assert.equal("no-referrer", answer.headers["referrer-policy"])
      assert.matches("script-src 'self';", answer.headers["content-security-policy"], 1, true)
    end
    for _, path in ipairs { "/", "//", "/x/", "/shell", "/" .. ("A"):rep(22) .. "/",
      "/" .. ("A"):rep(22) .. "/shell", "/" .. target:match "/(.*)/" } do
      assert.equal(404, assert(session:get(origin .. path)).status, path)
    end
    assert.equal(404, assert(session:get("http://" .. target .. "terminal.lua")).status)
    session:close()
  end))

  it("lets no page of another site or name in", with(SH, function(target)
    local port = target:match ":(%d+)"
    for _, headers in ipairs { { Origin = "http://evil.test" }, { Origin = "null" },
      { Origin = "http://127.0.0.1:1" },
      { Origin = "http://evil.test:" .. port, Host = "evil.test:" .. port } } do
      local w, err = open(target, nil, headers)
      assert.is_nil(w)
      assert.equal(403, err.status)
    end
    assert(open(target)).ws:close()
  end))

  it("says which command there is not", with({ "/nowhere/at/all" }, function(target)
    local code, reason = assert(open(target)):ended()
    assert.equal(1011, code)
    assert.matches("ENOENT", reason)
  end))

  it("says what it was asked wrongly", function()
    for _, words in ipairs { { "--what", "1" }, { "--port" } } do
      local run = program.run { program.greenlua, "examples/terminal.lua", unpack(words) }
      assert.equal(2, run.status)
      assert.matches("usage: terminal.lua", run.err, 1, true)
    end
  end)
end)

-- -- In a browser -------------------------------------------------------------------

describe("examples/terminal.lua in a browser", function()
  local function enter(tab, text)
    tab:call("Input.insertText", { text = text })
    tab:enter()
  end

  it("is a screen, where there is xterm.js", function()
    if not XTERM then
      return pending "no XTERM_JS: npm install @xterm/xterm, and say in which folder it is"
    end
    browse(function(browser)
      beside({ "--xterm", XTERM, unpack(SH) }, function(target)
        local tab = browser:open("http://" .. target, 900, 560)
        local text = "document.querySelector('.xterm-rows').innerText"
        tab:await "document.querySelector('#state').textContent === 'connected'"
        tab:await(text .. ".includes('ready>')")
        enter(tab, "printf '\\033]0;a title\\007'; echo size $(stty size)")
        tab:await "document.title === 'a title'"
        enter(tab, "ls --color=always /; tput colors")
        tab:await(text .. ".includes('256')")
        local rows, cols = tab:eval(text):match "size (%d+) (%d+)"
        local count = "document.querySelector('.xterm-rows').children.length"
        assert.equal(tonumber(rows), tab:eval(count))
        assert.is_true(tonumber(cols) > 80)
        enter(tab, "for i in 1 2 3 4 5; do printf \"\\033[3${i}mcolour $i \"; done; echo ünï ☃")
        tab:await(text .. ".includes('colour 5') && " .. text .. ".includes('ünï ☃')")
        tab:shoot(devtools.shot "terminal_desk")
        tab:resize(390, 700, true)
        tab:await(count .. " > " .. rows) -- the shell is told before it is asked
        enter(tab, "clear; echo size $(stty size); echo narr''ow")
        tab:await(text .. ".includes('narrow')")
        assert.is_true(tonumber((tab:eval(text):match "size %d+ (%d+)")) < tonumber(cols))
        tab:assert_fits()
        tab:shoot(devtools.shot "terminal_phone")
        enter(tab, "exit")
        tab:await "document.querySelector('#state.bad')?.textContent === 'exit status 0'"
      end)
    end)
  end)

  it("is a page of lines without it", function()
    browse(function(browser)
      beside({ "--xterm", "/nowhere", unpack(SH) }, function(target)
        local tab = browser:open("http://" .. target, 900, 560)
        local text = "document.querySelector('pre').textContent"
        tab:await "document.querySelector('#state').textContent === 'connected'"
        tab:await(text .. ".includes('ready>')")
        enter(tab, "echo $TERM; ls --color=always /; echo ünï ☃ $((6*7))")
        tab:await(text .. ".includes('ünï ☃ 42')")
        assert.matches("\ndumb\n", tab:eval(text))
        assert.is_nil(tab:eval(text):find "\27")
        enter(tab, "sleep 1000")
        tab:await(text .. ".includes('sleep 1000')")
        tab:call("Input.dispatchKeyEvent", { type = "keyDown", key = "c", code = "KeyC",
          windowsVirtualKeyCode = 67, modifiers = 2 })
        tab:await(text .. ".includes('^C')")
        tab:shoot(devtools.shot "terminal_plain")
      end)
    end)
  end)
end)
