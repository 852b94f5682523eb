-- TLS in front of servers that speak none: a client asks for a name, gets that name's
-- certificate, and its bytes go in plain to that name's server.
--
--   greenlua examples/tls_forwarder.lua PORT NAME CERT KEY HOST:PORT [NAME CERT KEY HOST:PORT ...]
--
-- A NAME such as "*.example.org" stands for all names with one word before. A
-- client that asks for no name, or another one, gets the first certificate; then its
-- connection is closed.

local green = require "green"
local tls = require "green.tls"

if #arg < 5 or (#arg - 1) % 4 ~= 0 then
  io.stderr:write "usage: tls_forwarder.lua PORT NAME CERT KEY HOST:PORT ...\n"
  os.exit(2)
end

local targets, contexts = {}, {}
for i = 2, #arg, 4 do
  local name, cert, key, target = unpack(arg, i, i + 3)
  targets[name] = target
  contexts[name] = assert(tls.context { server = true, cert = cert, key = key })
end

--- Carry bytes one way. A proper end is passed on; a connection that was cut off ends both.
local function pump(from, to)
  local chunk, err = from:read_some()
  while chunk and to:write(chunk) do
    chunk, err = from:read_some()
  end
  if err then
    to:close()
  else
    to:shutdown "write"
  end
end

local function target_of(name)
  return name and (targets[name] or targets[name:gsub("^[^.]+", "*", 1)])
end

local function forward(client)
  local name = client:info().server_name
  local target = target_of(name)
  if not target then
    return print("forwarder: sent away: " .. (name or "asked for no name"))
  end
  local server, err = green.connect(target, { timeout = 10 })
  if not server then
    return print("forwarder: " .. tostring(err))
  end
  local back = green.spawn(pump, server, client)
  pump(client, server)
  back:wait()
  server:close()
end

local listener = assert(green.listen("127.0.0.1", arg[1], { tls = {
  cert = arg[3], key = arg[4], names = contexts,
  on_failure = function(err, address) print(tostring(address) .. ": " .. tostring(err)) end,
} }))
print(("forwarder: listening on %s:%d"):format(listener:sockname()))
green.serve(listener, forward, { signals = true, grace = 1 })
