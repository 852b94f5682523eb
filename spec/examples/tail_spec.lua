-- examples/tail.lua: what is appended to files arrives as server-sent events.
-- A screenshot is left in the build's folder screenshots.

local devtools = require "spec.support.devtools"
local http = require "green.http"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()
local browse = devtools.busted()

local WAIT = 60 -- seconds that anything may take at most

-- -- Readers ------------------------------------------------------------------------

local reader = {}
reader.__index = reader

--- The next event, which is about this: "NAME LINE". Parks.
function reader:expect(what)
  while true do
    local event, rest = self.text:match "^(.-)\n\n(.*)$"
    if event then
      self.text = rest
      self.id = event:match "id: (%S+)" or self.id
      local name, line = event:match "data: ([^\n]*)\ndata: ?([^\n]*)"
      if name then
        assert(what == name .. " " .. line, ("not %q but %q"):format(what, name .. " " .. line))
        return
      end
    else
      local piece, err = self.body()
      self.text = self.text .. assert(piece, tostring(err or "the stream has ended"))
    end
  end
end

function reader:close()
  self.answer:close()
end

local function read(session, target, last)
  local answer = assert(session:get(target .. "lines", { stream = true, timeout = { first = WAIT },
    headers = { ["Last-Event-ID"] = last } }))
  assert.equal("text/event-stream", answer.headers["content-type"])
  return setmetatable({ answer = answer, body = answer:chunks(), text = "" }, reader)
end

-- -- Files --------------------------------------------------------------------------

local function put(path, text, mode)
  local file = assert(io.open(path, mode or "a"))
  file:write(text)
  file:close()
end

--- Run body(target, folder, session) beside one that follows these names there. Parks.
local function beside(names, before, body)
  local folder = program.run({ "mktemp", "-d" }).out:gsub("%s+$", "")
  program.run { "mkdir", folder .. "/jobs" }
  for name, text in pairs(before) do put(folder .. "/" .. name, text) end
  local run = program.start { "sh", "-c", "cd \"$0\" && exec \"$@\"", folder,
    program.run({ "realpath", program.greenlua }).out:gsub("%s+$", ""),
    program.run({ "realpath", "examples/tail.lua" }).out:gsub("%s+$", ""), "--port", "0",
    unpack(names) }
  run:expect "tail: serving on "
  local target, session = run:expect "\n", http.session()
  local ok, err = patient.try(body, target, folder, session)
  session:close()
  run:kill(program.TERM):wait()
  program.run { "rm", "-rf", folder }
  assert(ok, tostring(err) .. "\n" .. run.err)
  assert.same({ 0, "" }, { run.status, run.err })
end

local function with(names, before, body)
  return function() beside(names, before, body) end
end

describe("examples/tail.lua", function()
  it("tells the last lines of what there is, and each line that comes",
    with({ "a", "b" }, { a = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n" }, function(target, dir, s)
      local r = read(s, target)
      for i = 3, 12 do r:expect("a " .. i) end
      put(dir .. "/a", "more\r\n\n")
      r:expect "a more"
      r:expect "a "
      put(dir .. "/a", "in ")
      put(dir .. "/b", "was not there\n")
      r:expect "b was not there"
      put(dir .. "/a", "two parts\n")
      r:expect "a in two parts"
      local long = ("x"):rep(70000)
      put(dir .. "/b", long .. "\nshort\n")
      r:expect("b " .. long:sub(1, 65536))
      r:expect("b " .. long:sub(65537))
      r:expect "b short"
      r:close()
    end))

  it("follows a file that is rotated, to its end and then the next one",
    with({ "log" }, { log = "one\n" }, function(target, dir, s)
      local r = read(s, target)
      r:expect "log one"
      local open = assert(io.open(dir .. "/log", "a"))
      assert(os.rename(dir .. "/log", dir .. "/log.1"))
      open:write "late\n"
      open:flush()
      r:expect "log late"
      put(dir .. "/log", "two\n")
      r:expect "log two"
      open:close()
      for i = 3, 12 do
        assert(os.rename(dir .. "/log", dir .. "/log.1"))
        put(dir .. "/log", i .. "\n")
        r:expect("log " .. i)
      end
      put(dir .. "/new", "moved here\n")
      assert(os.rename(dir .. "/new", dir .. "/log"))
      r:expect "log moved here"
      assert(os.remove(dir .. "/log"))
      put(dir .. "/log", "after all\n")
      r:expect "log after all"
      r:close()
    end))

  it("follows a file that is cut off",
    with({ "log" }, { log = "something long\n" }, function(target, dir, s)
      local r = read(s, target)
      r:expect "log something long"
      put(dir .. "/log", "short\n", "w")
      r:expect "log short"
      put(dir .. "/log", "", "w")
      put(dir .. "/log", "on\n") -- shorter than before: no look can come too late
      r:expect "log on"
      r:close()
    end))

  it("tells several readers the same, and who comes back what was missed",
    with({ "a" }, {}, function(target, dir, s)
      local one, two = read(s, target), read(s, target)
      put(dir .. "/a", "1\n2\n")
      for _, r in ipairs { one, two } do
        r:expect "a 1"
        r:expect "a 2"
      end
      one:close()
      put(dir .. "/a", "3\n4\n")
      two:expect "a 3"
      two:expect "a 4"
      one = read(s, target, one.id)
      one:expect "a 3"
      one:expect "a 4"
      one:close()
      one = read(s, target, "of-another-9") -- a server before this
      one:expect "a 1"
      one:close()
      two:close()
    end))

  it("follows many files in several folders", function()
    local names, before = {}, {}
    for i = 1, 50 do names[i] = (i % 2 == 0 and "./" or "") .. "f" .. i end
    names[51] = "/dev/shm/greenlua-tail-" .. os.time() .. math.random(1e9)
    beside(names, before, function(target, dir, s)
      local r = read(s, target)
      for i, name in ipairs(names) do
        put(i == 51 and name or dir .. "/" .. name, "line " .. i .. "\n")
        r:expect(name .. " line " .. i)
      end
      os.remove(names[51])
      r:close()
    end)
  end)

  it("serves its page, under no other site's name", with({ "a" }, {}, function(target, _, s)
    for path, kind in pairs { [""] = "text/html", ["tail.js"] = "text/javascript",
      ["tail.css"] = "text/css" } do
      local answer = assert(s:get(target .. path))
      assert.equal(200, answer.status)
      assert.matches("^" .. kind, answer.headers["content-type"])
    end
    assert.equal(404, assert(s:get(target .. "a")).status)
    for _, path in ipairs { "", "lines" } do
      local answer = assert(s:get(target .. path, { headers = { Host = "evil.test" } }))
      assert.equal(403, answer.status)
    end
  end))

  it("says what it was asked wrongly", function()
    for _, words in ipairs { {}, { "--port", "0" }, { "--what", "x" } } do
      local run = program.run_greenlua { "examples/tail.lua", unpack(words) }
      assert.equal(2, run.status)
      assert.matches("usage: tail.lua", run.err, 1, true)
    end
    local run = program.run_greenlua { "examples/tail.lua", "--port", "0", "/nowhere/at/all" }
    assert.equal(1, run.status)
    assert.matches("ENOENT", run.err)
  end)

  it("is seen in a browser", function()
    browse(function(browser)
      beside({ "access.log", "error.log", "jobs/worker.log" }, {}, function(target, dir)
        local tab = browser:open(target, 1000, 480)
        tab:await "document.querySelector('#state').textContent === 'live'"
        for i = 1, 12 do
          put(dir .. "/access.log", ('::1 - "GET /page/%d HTTP/1.1" 200 %d\n'):format(i, i * 97))
          if i % 4 == 0 then put(dir .. "/error.log", "page " .. i .. " <b>was</b> slow\n") end
        end
        put(dir .. "/jobs/worker.log", "thumbnails: 40 of 64\n")
        tab:await "document.querySelectorAll('#lines li').length === 16"
        assert.equal(0, tab:eval "document.querySelectorAll('#lines b b, #lines span *').length")
        tab:shoot(devtools.shot "tail_desk")
        tab:scheme "dark"
        tab:resize(390, 700, true)
        tab:write("#words", "SLOW")
        tab:await "document.querySelectorAll('#lines li:not([hidden])').length === 3"
        put(dir .. "/error.log", "slow again\n")
        put(dir .. "/access.log", "quick\n")
        tab:await "document.querySelectorAll('#lines li').length === 18"
        assert.equal(4, tab:eval "document.querySelectorAll('#lines li:not([hidden])').length")
        tab:assert_fits()
        tab:shoot(devtools.shot "tail_phone")
      end)
    end)
  end)
end)
