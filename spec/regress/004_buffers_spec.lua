-- Reading made a string out of a buffer whose socket nobody held any more: with the
-- JIT compiler and an eager collector the buffer was freed before, and the string was
-- made of freed memory. Each chunk uses its socket a last time in a read.

local chunk = require "spec.support.chunk"

--- What is read at last, from a socket `a` that has TEXT in its way, and what comes.
local TEXT = [[("x"):rep(100) .. "\n" .. ("y"):rep(3000) .. "\n"]]
local FIRST = [[("x"):rep(100)]]

local READS = {
  read = { "return a:read(100)", FIRST },
  read_line = { "return a:read_line()", FIRST },
  read_until = { "return a:read_until('\\n')", FIRST },
  ["read_until with its delimiter"] = {
    "return a:read_until('\\n', { include = true })", FIRST .. " .. '\\n'" },
  read_some = { "return a:read_some(100)", FIRST },
  ["read_some of everything"] = { "return (a:read_some())", TEXT },
  read_all = { "return a:read_all()", TEXT },
  ["read of too much"] = { "return (select(2, a:read(5000))).partial", TEXT },
  lines = { "return a:lines()()", FIRST },
  chunks = { "return a:chunks(100)()", FIRST },
  ["detach"] = { [[
    a:read(1)
    local fd, rest = a:detach()
    close_fd(fd)
    return "x" .. rest
  ]], TEXT },
  ["the second of two reads"] = { "a:read_line() return a:read_line()", [[("y"):rep(3000)]] },
  ["a read in a coroutine"] = {
    "return coroutine.wrap(function() return a:read_line() end)()", FIRST },
  ["a read in a thread"] = { "return green.spawn(a.read_line, a):wait()", FIRST },
  ["a read by pcall"] = { "return select(2, pcall(a.read_line, a))", FIRST },
  ["a read in a timeout"] = { "return green.timeout(5, a.read_line, a)", FIRST },
}

local CODE = [[
  %s
  local ffi = require "ffi"
  ffi.cdef "int close(int fd);"
  local function close_fd(fd) ffi.C.close(fd) end -- luacheck: ignore
  local green, socket = require "green", require "green.socket"
  local text, expected = %s, %s
  local make = %s
  local function last()
    local a, b = make()
    b:write(text)
    b:close()
    b = nil
    %s
  end
  for i = 1, %d do
    local got = last()
    if got ~= expected then
      print(i, type(got), tostring(got):sub(1, 200))
      break
    end
  end
  print "ok"
]]

local COLLECTORS = {
  ["an eager collector"] = { "collectgarbage('setstepmul', 1000000)", 3000 },
  ["a collector that never rests"] = {
    "collectgarbage('setpause', 0) collectgarbage('setstepmul', 400)", 1500 },
}

local function code(read, collector, make, jit)
  return CODE:format((jit or "") .. " " .. collector[1], TEXT, READS[read][2],
    make, READS[read][1], collector[2])
end

describe("the last use of a socket may be", function()
  for read in pairs(READS) do
    for title, collector in pairs(COLLECTORS) do
      it(("%s, with %s"):format(read, title), function()
        chunk.prints("ok\n", code(read, collector, "socket.pair"))
        chunk.prints("ok\n", code(read, collector, "socket.pair",
          "jit.opt.start('hotloop=2', 'hotexit=2')"))
      end)
    end
  end

  it("each of them, in the interpreter", function()
    for read in pairs(READS) do
      chunk.prints("ok\n", code(read, { "collectgarbage('setstepmul', 1000000)", 500 },
        "socket.pair", "jit.off()"))
    end
  end)

  it("each of them, of an in-memory stream", function()
    for read in pairs(READS) do
      if read ~= "detach" then
        chunk.prints("ok\n", code(read, { "collectgarbage('setstepmul', 1000000)", 500 },
          "require('green.testing').stream_pair"))
      end
    end
  end)

  it("recv or recvfrom of a datagram", function()
    for _, method in ipairs { "recv", "recvfrom" } do
      chunk.prints("ok\n", ([[
        collectgarbage("setstepmul", 1000000)
        local socket = require "green.socket"
        local text = ("x"):rep(500)
        local function last()
          local a, b = socket.pair("dgram")
          b:send(text)
          b:close()
          return (a:%s(1000))
        end
        for i = 1, 3000 do assert(last() == text, i) end
        print "ok"
      ]]):format(method))
    end
  end)

  it("a read of a request's body whose env is not held", function()
    chunk.prints("ok\n", [[
      collectgarbage("setstepmul", 1000000)
      local green, wsgi = require "green", require "green.wsgi"
      local body = ("x"):rep(5000)
      local server = assert(wsgi.new("127.0.0.1:0", function(env)
        return 200, {}, env["wsgi.input"]:read()
      end, { log_output = false })):start()
      local request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n"
        .. "Connection: close\r\n\r\n" .. body
      local function last()
        local c = green.connect("127.0.0.1", server.port)
        c:write(request)
        return c:read_all()
      end
      for i = 1, 300 do assert(last():match("\r\n\r\n(.*)") == body, i) end
      print "ok"
    ]])
  end)
end)
