-- docs/tutorial.md quotes the files that this runs.

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local FOLDER = "examples/tutorial/"
local files = { "1_hello", "2_client", "3_echo", "4_timeout", "5_web" }

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- The output of a file that ends by itself.
local function run(name, ...)
  local p = program.run_greenlua { FOLDER .. name .. ".lua", ... }
  assert.are.equal("", p.err)
  assert.are.equal(0, p.status)
  return p.out
end

--- Start a file that serves; call fn with its port and what it has written.
local function serving(name, fn)
  local p = program.start_greenlua { FOLDER .. name .. ".lua", "0" }
  p:expect("127.0.0.1:")
  local port = tonumber((p:expect("\n")))
  local ok, err = pcall(fn, port, p)
  p:kill(program.TERM)
  p:wait()
  if not ok then
    error(err, 0)
  end
end

local function connect(port)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:settimeout(10)
  return conn
end

local function request(port, text)
  local conn = connect(port)
  conn:write(text)
  local answer = assert(conn:read_all())
  conn:close()
  return answer
end

local function get(port, path)
  return request(port, "GET " .. path .. " HTTP/1.0\r\n\r\n")
end

--- The output that the page shows for a step.
local function shown(page, heading)
  local lines = {}
  local section = page:match("\n## " .. heading .. ".-```lua.-\n```(.-)\n## ")
  for line in section:gmatch("\n    ([^\n]*)") do
    lines[#lines + 1] = line .. "\n"
  end
  return table.concat(lines)
end

describe("docs/tutorial.md", function()
  local page = read "docs/tutorial.md"

  for _, name in ipairs(files) do
    it("quotes " .. name .. ".lua as it is", function()
      local text = read(FOLDER .. name .. ".lua")
      assert.is_truthy(page:find("```lua\n" .. text .. "```\n", 1, true))
      assert.is_true(select(2, text:gsub("\n", "")) < 60)
      assert.matches("greenlua examples/tutorial/" .. name .. "%.lua", text)
    end)
  end

  it("has a step for every file", function()
    local n = 0
    for name in io.popen("ls " .. FOLDER):lines() do
      assert.matches("^%d+_%l+%.lua$", name)
      n = n + 1
    end
    assert.are.equal(#files, n)
    assert.are.equal(n, select(2, page:gsub("\n## %d+%. ", "")))
  end)

  it("step 1 prints what the page shows", function()
    assert.are.equal(shown(page, "1"), run "1_hello")
  end)

  it("step 2 asks servers, and says who does not answer", function()
    serving("5_web", function(port)
      local here, nowhere = "127.0.0.1:" .. port, "127.0.0.1:1"
      assert.are.equal(here .. "\tHTTP/1.1 200 OK\n"
        .. nowhere .. "\tconnect 127.0.0.1:1: connection refused (ECONNREFUSED)\n",
        run("2_client", here, nowhere))
    end)
  end)

  it("step 3 echoes lines of several clients", function()
    serving("3_echo", function(port, p)
      local a, b = connect(port), connect(port)
      a:write("one\ntwo\n")
      b:write("three\n")
      assert.are.equal("three", b:read_line())
      assert.are.equal("one", a:read_line())
      assert.are.equal("two", a:read_line())
      a:close()
      p:expect("has gone")
      b:write("four\n")
      assert.are.equal("four", b:read_line())
      b:close()
      p:expect("has gone")
    end)
  end)

  it("step 4 prints what the page shows", function()
    assert.are.equal(shown(page, "4"), run "4_timeout")
  end)

  it("step 5 answers, and a slow page holds up nobody", function()
    serving("5_web", function(port)
      assert.matches("^HTTP/1%.1 200 .*\r\n\r\nhello\n$", get(port, "/"))
      assert.matches("^HTTP/1%.1 404 .*\r\n\r\nno such page\n$", get(port, "/absent"))
      assert.matches("\r\n\r\nread me$",
        request(port, "POST /echo HTTP/1.0\r\nContent-Length: 7\r\n\r\nread me"))
      local order = {}
      local slow = green.spawn(function()
        assert.matches("sorry to keep you waiting\n$", get(port, "/slow"))
        order[#order + 1] = "slow"
      end)
      green.sleep(0.02) -- the server is another process: it may begin with the slow one
      get(port, "/")
      order[#order + 1] = "fast"
      slow:wait()
      assert.are.same({ "fast", "slow" }, order)
    end)
  end)
end)
