-- A reverse proxy: it stands before several servers that do the same, and gives each request
-- to the one that has the least to do. Servers are asked every few seconds how they are; one
-- that fails is left out until it is well. Bodies are streamed both ways, websockets are
-- passed through, and a client that goes takes its request with it.
--
--   greenlua examples/reverse_proxy.lua PORT URL... [--bind ADDRESS] [--check PATH]
--       [--every SECONDS] [--timeout SECONDS] [--host NAME]
--   greenlua examples/reverse_proxy.lua 8000 http://127.0.0.1:8080 http://127.0.0.1:8081

local green = require "green"
local http = require "green.http"
local wsgi = require "green.wsgi"

local TEXT = { ["Content-Type"] = "text/plain" }
local RISE, FALL = 2, 3 -- answers in a row that change what is thought of a server
local TRIES = 3 -- servers that a request is tried at
local IDLE = 3600 -- seconds that an upgraded connection may be silent

local options = { bind = "127.0.0.1", check = "/", every = 5, timeout = 60 }
local listen_at, servers = 8000, {}
for i, word in ipairs(arg) do
  local before = (arg[i - 1] or ""):match("^%-%-(%a+)$")
  if before then
    options[before] = tonumber(word) or word
  elseif word:find("^https?://") then
    servers[#servers + 1] = { url = word, busy = 0, is_up = true, against = 0 }
  elseif word:find("^%d+$") then
    listen_at = tonumber(word)
  end
end

local session = http.session {
  proxy = false, pool = { per_origin = 1000, total = 10000, idle_timeout = 15 },
  timeout = { connect = 5, first = options.timeout, between = options.timeout },
}

-- -- Servers --------------------------------------------------------------------

--- A server has answered, or has failed to. So many times in a row count.
local function note(server, is_good)
  if is_good == server.is_up then
    server.against = 0
    return
  end
  server.against = server.against + 1
  if server.against >= (is_good and RISE or FALL) then
    server.is_up, server.against = is_good, 0
    print(("reverse_proxy: %s is %s"):format(server.url, is_good and "up" or "down"))
    io.flush()
  end
end

local function watch(server)
  while true do
    local url = server.url:gsub("/$", "") .. options.check
    local resp = session:get(url, { timeout = options.every })
    note(server, resp ~= nil and resp.status < 500)
    if resp then resp:close() end
    green.sleep(options.every)
  end
end

local last = 0 -- who was chosen last

--- The server with the fewest requests; among equals it goes round.
local function choose(tried)
  local best
  for i = 1, #servers do
    local at = (last + i - 1) % #servers + 1
    local server = servers[at]
    if server.is_up and not tried[server] and (not best or server.busy < servers[best].busy) then
      best = at
    end
  end
  last = best or last
  return servers[best]
end

-- -- Requests -------------------------------------------------------------------

--- Ask one server after the other, until one answers or the request must not be sent again.
-- Whoever gets the answer makes `busy` less.
local function ask(env)
  local tried, err = {}, nil
  for _ = 1, TRIES do
    local server = choose(tried)
    if not server then break end
    tried[server] = true
    server.busy = server.busy + 1
    local ok, resp
    ok, resp, err = pcall(session.forward, session, env, server.url, { host = options.host })
    if ok and resp then return server, resp end
    server.busy = server.busy - 1
    if not ok then error(resp, 0) end -- the client has gone, or its body is wrong
    note(server, false)
    if not err.may_retry then break end
  end
  return nil, err
end

-- -- Answers --------------------------------------------------------------------

--- Carry bytes one way. The end of one side is passed on to the other.
local function pump(from, to)
  local chunk = from:read_some()
  while chunk and to:write(chunk) do chunk = from:read_some() end
  to:shutdown "write"
end

--- Both speak something else from now on: 101 Switching Protocols.
local function switch(env, resp)
  local lines, there, here = { "HTTP/1.1 101 Switching Protocols" }, resp:stream(), nil
  for name, value in resp.headers:each() do lines[#lines + 1] = name .. ": " .. value end
  green.finally(function()
    here = assert(env.take_over())
    here:settimeout(IDLE)
    there:settimeout(IDLE)
    here:write(table.concat(lines, "\r\n"), "\r\n\r\n")
    local back = green.spawn(pump, there, here)
    pump(here, there)
    back:wait()
  end, function()
    there:close()
    if here then here:close() end
  end)
end

local function refused(err)
  if not err then return 503, TEXT, "no server is there for this\n" end
  io.stderr:write("reverse_proxy: ", tostring(err), "\n")
  return err:is("ETIMEDOUT") and 504 or 502, TEXT, "the server did not answer\n"
end

--- What the handler is to return, the server having one request less.
local function done(server, ok, ...)
  server.busy = server.busy - 1
  if not ok then error((...), 0) end
  return ...
end

local function app(env)
  local server, resp = ask(env)
  if not server then return refused(resp) end
  note(server, true)
  if resp.status == 101 then return done(server, pcall(switch, env, resp)) end
  return done(server, pcall(resp.pass_on, resp, env))
end

local server = assert(wsgi.new(options.bind .. ":" .. listen_at, app, {
  signals = true, max_size = 10000, max_body = false,
  cancel_on_disconnect = true, half_close = false,
}))
for _, one in ipairs(servers) do green.spawn(watch, one) end
print("reverse_proxy: listening on " .. server.host .. ":" .. server.port)
server:serve_forever()
