-- green.wsgi: a request that was hit fails alone; the next ones are answered.

local core = require "green.core"
local green = require "green"
local kit = require "spec.oom.kit"
local wsgi = require "green.wsgi"

local function app(env)
  local path = env.PATH_INFO
  if path == "/echo" then
    local body = env.input:read()
    return 200, { ["Content-Type"] = "text/plain" }, body
  elseif path == "/pieces" then
    local n = 0
    return 200, { ["Content-Type"] = "text/plain" }, function()
      n = n + 1
      return n <= 3 and "piece" .. n or nil
    end
  elseif path == "/list" then
    return 200, { ["X-Agent"] = env.HTTP_USER_AGENT or "none" }, { "a", "b", "c" }
  elseif path == "/raise" then
    error("out of memory: pretended")
  end
  green.sleep(0)
  return 200, { ["Content-Type"] = "text/plain" }, "hello " .. (env.QUERY_STRING or "")
end

local listener = assert(green.listen("127.0.0.1:0"))
local _, port = listener:sockname()
local server = assert(wsgi.new(listener, app, { log = false, log_output = false }))

--- One request on a connection of its own: the status and the body.
local function request(text, body)
  local conn = assert(green.connect("127.0.0.1", port))
  local head = ("%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s"):format(text,
    body and ("Content-Length: %d\r\n"):format(#body) or "", body or "")
  local ok, answer = pcall(function()
    conn:write(head)
    return conn:read_all(nil, { timeout = 0.2 })
  end)
  conn:close()
  if not ok then
    error(answer, 0)
  end
  answer = answer or ""
  return tonumber(answer:match("^HTTP/1.1 (%d+)")), answer:match("\r\n\r\n(.*)$")
end

local requests = {
  plain = { "GET /?a=b", nil, "hello a=b" },
  echo = { "POST /echo", "some body", "some body" },
  pieces = { "GET /pieces", nil, nil },
  list = { "GET /list", nil, "abc" },
  fresh = { nil, nil, "hello " },
}

local asked = 0

--- A path that no string is there for yet.
local function fresh()
  asked = asked + 1
  return "GET /fresh/" .. asked
end

local function ask(name)
  local text, body, wanted = unpack(requests[name], 1, 3)
  text = text or fresh()
  local status, answer = request(text, body)
  return status, answer, status == 200 and (wanted == nil or answer == wanted)
end

server:start()
-- The server's own threads are no rest of a work.
kit.keep_threads()

local function check()
  for name in pairs(requests) do
    local status, answer, right = ask(name)
    if not right then
      kit.fault("%s is answered with %s %q", name, tostring(status), tostring(answer))
    end
  end
  local s = server:stats()
  if s.busy > 0 or s.connections > 0 then
    green.sleep(0.01)
    s = server:stats()
  end
  if s.busy > 0 or s.connections > 0 then
    kit.fault("%d connections and %d busy workers are left", s.connections, s.busy)
  end
end

for name in pairs(requests) do
  kit.run("request: " .. name, function()
    local status, answer, right = ask(name)
    -- A request that was hit is answered with 500, or cut.
    assert(right or status == 500 or not status, answer)
  end, check)
end

kit.run("request: the handler raises", function()
  local status = request("GET /raise")
  assert(status == 500 or not status)
end, check)

server:stop { grace = 1 }
assert(#core.threads() >= 1)
kit.finish()
