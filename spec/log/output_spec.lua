-- Where the lines of green.log go, and what becomes of them when nobody takes them.

local green = require "green"
local kit = require "spec.support.log_kit"
local log = require "green.log"
local program = require "spec.support.program"
local testing = require "green.testing"

local it, it_real = testing.busted()

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

local function run(code, opts)
  opts = opts or {}
  local argv = { "-e", 'local green, log = require "green", require "green.log"\n' .. code }
  for name, value in pairs(opts) do argv[name] = value end
  return program.run_greenlua(argv)
end

describe("the log of a program", function()
  it("goes to standard error, and is there at the end whatever ends it", function()
    for _, ending in ipairs { "", "os.exit(3)", "error('x', 0)", "green.sleep(0)" } do
      local r = run('log.info("a") log.info("b") ' .. ending)
      assert.truthy(r.err:find("INFO  a\n[^\n]*INFO  b\n"), ending .. r.err)
    end
  end)

  it("goes to a file, and is there at the end", function()
    local path = os.tmpname()
    local r = run(('log.configure { output = %q, format = "json" } log.info("a")'):format(path))
    assert.same({ 0, "" }, { r.status, r.err })
    assert.truthy(read(path):find('"message":"a"}\n', 1, true))
    os.remove(path)
  end)

  it("is there at the end of a child of a fork, once", function()
    local path = os.tmpname()
    local r = run(([[
      assert(log.configure { output = %q })
      log.info("parent")
      green.sleep(0)
      local process = require "green.process"
      process.wait(assert(process.fork(function()
        log.info("child")
        green.sleep(0.01)
        log.info("its end")
      end)))
      log.info("parent again")]]):format(path))
    assert.same({ 0, "" }, { r.status, r.err })
    local texts = {}
    for text in read(path):gmatch("INFO  ([^\n]*)") do texts[#texts + 1] = text end
    os.remove(path)
    table.sort(texts)
    assert.same({ "child", "its end", "parent", "parent again" }, texts)
  end)

  it("is there with its errors when the program is killed", function()
    local path = os.tmpname()
    local r = run(([[log.configure { output = %q }
      log.info("a") log.error("b")
      assert(require("green.process").kill(require("green.core").getpid(), 9))]]):format(path))
    assert.equal(9, r.signal)
    assert.truthy(read(path):find("INFO  a\n.*ERROR b\n"))
    os.remove(path)
  end)

  it("is a server's that is given the module in a logger's place", function()
    local r = run [[local green, wsgi = require "green", require "green.wsgi"
      local server = assert(wsgi.new("127.0.0.1:0", function() return 200, {}, "x" end,
        { log = log, error_log = log })):start()
      local conn = assert(green.connect(server:address()))
      conn:write "GET /path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      conn:read_all()
      server:stop()]]
    assert.equal(0, r.status, r.err)
    assert.truthy(r.err:find("INFO  [^\n]*GET /path"), r.err)
  end)

  it("has no colours but on a terminal that wants them", function()
    local r = run('log.warn("w")', { env = { NO_COLOR = "", TERM = "xterm" } })
    assert.is_nil(r.err:find("\27", 1, true))
    for _, case in ipairs { { "", "xterm", true }, { "1", "xterm", false },
      { "", "dumb", false } } do
      local p = program.start_greenlua { "-e", 'require("green.log").warn("w")', tty = true,
        env = { NO_COLOR = case[1], TERM = case[2] } }
      p:expect("w\r\n")
      p:wait()
      assert.equal(case[3], p.out:find("\27[33mWARN", 1, true) ~= nil)
    end
  end)

  it("takes the runtime's reports when asked", function()
    local r = run([[
      log.configure { format = "json" }
      log.take_reports(log.get("runtime"))
      log.with({ request_id = "r1" }, function()
        green.spawn(function() error("boom") end):name("sad")
      end)
      green.sleep(0.01)
      log.take_reports(false)
      green.spawn(error, "plain")
      green.sleep(0.01)
    ]])
    local line = require("cjson").decode((r.err:match("^[^\n]*")))
    assert.same({ "error", "runtime", "r1", "sad" },
      { line.level, line.logger, line.request_id, line.thread_name })
    assert.truthy(line.message:find("boom$"))
    assert.truthy(line.traceback:find("stack traceback:", 1, true))
    assert.truthy(r.err:find("\ngreenlua: unhandled error in green thread", 1, true))
  end)
end)

describe("an output", function()
  it("that is a function is given lines, and those that it refuses are counted", function()
    local got = {}
    local logger = assert(log.new { output = function(line)
      got[#got + 1] = line
      if line:find("bad") then error("no") end
    end })
    for _, text in ipairs { "a", "bad", "b" } do logger:info(text) end
    assert.is_true(logger:flush())
    assert.equal(3, #got)
    assert.same({ 3, 1, 0 }, { logger:stats().lines, logger:stats().dropped,
      logger:stats().left_out })
  end)

  it("that waits stops nobody, and loses what is beyond a mebibyte", function()
    local gate = green.Event()
    local logger = assert(log.new { output = { write = function() gate:wait() return true end } })
    local text = ("x"):rep(10000)
    logger:info("first")
    green.sleep(0)
    for _ = 1, 200 do logger:info(text) end
    assert.is_false(logger:flush(1))
    gate:send()
    assert.is_true(logger:flush(1))
    local stats = logger:stats()
    assert.equal(201, stats.lines)
    assert.is_true(stats.dropped > 90 and stats.dropped < 110)
  end)

  it("that cannot be opened is told, and nothing has changed", function()
    local logger, err = log.new { output = "/nowhere/x.log" }
    assert.is_nil(logger)
    assert.is_true(err:is("ENOENT"))
    local r = run([[
      assert(log.configure {})
      local ok, err = log.configure { output = "/nowhere/x", level = "off" }
      assert(not ok and err:is("ENOENT"))
      log.info("still here")]])
    assert.truthy(r.err:find("still here", 1, true))
  end)

  it_real("is opened anew by reopen, and no line is lost or torn", function()
    local path = os.tmpname()
    local logger = assert(log.new { output = path })
    for i = 1, 300 do
      logger:info("line " .. i)
      if i == 100 or i == 200 then
        logger:flush()
        assert(os.rename(path, path .. "." .. i))
        logger:reopen()
      end
    end
    logger:close()
    local seen = 0
    for _, name in ipairs { path .. ".100", path .. ".200", path } do
      for line in read(name):gmatch("([^\n]*)\n") do
        seen = seen + 1
        assert.equal("INFO  line " .. seen, kit.plain(line))
      end
      os.remove(name)
    end
    assert.equal(300, seen)
  end)

  it_real("of a line that is longer than its buffer loses that line alone", function()
    local logger = assert(log.new { output = "/dev/null", max_text = 262144, max_items = 1000 })
    local long = ("\27"):rep(262144)
    logger:info("x", { long, long })
    logger:info("y")
    logger:close()
    assert.same({ 2, 1 }, { logger:stats().lines, logger:stats().dropped })
  end)
end)

describe("a server's log through green.log", function()
  local wsgi = require "green.wsgi"
  local http = require "green.http"

  --- The lines that a server leaves which answers a good request and a bad one.
  local function served(opts, logger_name)
    local logger, lines = kit.new(opts)
    local server = assert(wsgi.new("127.0.0.1:0", function(env)
      if env.PATH_INFO == "/bad" then error("oops") end
      return 200, {}, "ok"
    end, { log = logger:get(logger_name), log_format = opts.log_format })):start()
    opts.log_format = nil
    http.get(server.url .. "/good")
    http.get(server.url .. "/bad")
    http.close_idle()
    server:stop()
    local stats = server:stats()
    return lines(), stats
  end

  it_real("is lines of JSON like the others", function()
    local lines, stats = served({ format = "json" }, "web")
    local cjson = require "cjson"
    local seen = {}
    for _, line in ipairs(lines) do
      local one = cjson.decode(line)
      assert.equal("web", one.logger)
      assert.truthy(one.time)
      seen[one.message == "request" and one.path or one.message] = one
    end
    assert.same({ "info", 200, "GET" }, { seen["/good"].level, seen["/good"].status,
      seen["/good"].method })
    assert.equal(500, seen["/bad"].status)
    local failure
    for message, one in pairs(seen) do
      if message:find("^GET /bad: .*oops") then failure = one end
    end
    assert.equal("error", failure.level)
    assert.truthy(failure.traceback:find("stack traceback:", 1, true))
    assert.same({ 2, 0 }, { stats.log_lines, stats.log_dropped })
  end)

  it_real("is lines for people like the others", function()
    local lines = served({}, "web")
    local all = table.concat(lines, "\n")
    assert.truthy(all:find('Z INFO  web: 127.0.0.1 - - [', 1, true))
    assert.truthy(all:find('"GET /good HTTP/1.1" 200 2 ', 1, true))
    assert.truthy(all:find("ERROR web: GET /bad: ", 1, true))
    assert.truthy(all:find("INFO  web: serving on http://", 1, true))
  end)

  it_real("has every line of two servers and a program in one file", function()
    local path = os.tmpname()
    local logger = assert(log.new { output = path, format = "json" })
    local servers = {}
    for i = 1, 2 do
      servers[i] = assert(wsgi.new("127.0.0.1:0", function()
        logger:info("handler")
        return 200, {}, "ok"
      end, { log = logger:get("s" .. i) })):start()
    end
    for i = 1, 100 do http.get(servers[i % 2 + 1].url) end
    http.close_idle()
    servers[1]:stop()
    servers[2]:stop()
    logger:close()
    local counts = {}
    for line in read(path):gmatch("([^\n]*)\n") do
      local one = require("cjson").decode(line)
      local key = one.message:match("^%a+") .. (one.logger or "")
      counts[key] = (counts[key] or 0) + 1
    end
    os.remove(path)
    assert.same({ handler = 100, requests1 = 50, requests2 = 50, servings1 = 1, servings2 = 1,
      stoppeds1 = 1, stoppeds2 = 1 }, counts)
  end)
end)
