-- The echoes that cases and attacks are played to: both ends, and both forms of the server. Each is
-- with(opts, body): body(form), where form.one(play, check) opens a connection, calls
-- play(peer) with a raw peer at its other end, and check{ code =, reason = } with what the echo
-- knew when it had ended.

local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"
local websocket = require "green.websocket"

local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"
local wsgi_kit = require "spec.support.wsgi_kit"

local M = {}

local MIB = 2 ^ 20
local PATIENCE = tonumber(os.getenv "WEBSOCKET_PATIENCE") or 20 -- only a failing spec waits so long

--- Room for the largest case.
M.LARGE = { max_message = 17 * MIB, max_frame = 17 * MIB, max_fragments = 2 ^ 17 }

local function with_large(opts)
  local all = {}
  for name, value in pairs(M.LARGE) do
    all[name] = value
  end
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  return all
end

-- -- Echoes ---------------------------------------------------------------------

local function send_back(ws, text, is_binary)
  if is_binary then
    return ws:send_binary(text)
  end
  return ws:send(text)
end
M.send_back = send_back

--- Whole messages.
function M.echo(ws)
  for text, is_binary in ws:messages() do
    if not send_back(ws, text, is_binary) then
      break
    end
  end
end

--- Messages as they come, in pieces.
function M.echo_pieces(ws)
  for reader in function() return ws:reader() end do
    local writer = ws:writer(reader.is_binary)
    for piece in reader:chunks() do
      if not writer:write(piece) then
        return
      end
    end
    writer:close()
  end
end

-- -- Servers --------------------------------------------------------------------

--- Told when the echo of a connection has ended.
local function ending()
  local box = { event = green.Event() }
  function box.set(code, reason)
    box.event:send({ code = code, reason = reason })
  end
  function box.take()
    local seen = assert(box.event:wait(PATIENCE), "the echo does not end")
    box.event = green.Event()
    return seen
  end
  return box
end

local function serve(app, box, body)
  wsgi_kit.with(app, { access_log = false }, function(client)
    body {
      target = client.target,
      one = function(play, check)
        play((shake.open(client.target)))
        local seen = box.take()
        if check then check(seen) end
      end,
      open = function(opts) return shake.open(client.target, opts) end,
      ended = box.take,
    }
  end)
end

local function threaded(echo)
  return function(opts, body)
    local box = ending()
    serve(websocket.handler(function(ws)
      local ok, err = pcall(echo, ws)
      box.set(ws.close_code, ws.close_reason)
      if not ok then error(err, 0) end
    end, with_large(opts)), box, body)
  end
end

local function light(opts, body)
  local box = ending()
  serve(websocket.handler({
    message = send_back,
    close = function(_, code, reason) box.set(code, reason) end,
  }, with_large(opts)), box, body)
end

-- -- Ends over a stream ---------------------------------------------------------

--- An end over one stream of a pair, an echo on it, the raw peer on the other.
local function attached(make_pair, is_client)
  return function(opts, body)
    local options = with_large(opts)
    options.client = is_client
    local function one(play, check)
      local ours, theirs = make_pair()
      local ws = websocket.attach(ours, options)
      local thread = green.spawn(M.echo, ws)
      local ok, err = pcall(play, kit.peer(theirs, is_client and "server" or "client"))
      theirs:close()
      local ended, why = green.timeout(PATIENCE, thread.wait, thread)
      ws:abort()
      if not ok then error(err, 0) end
      if ended == nil and why then error("the echo does not end: " .. tostring(why), 0) end
      if check then check { code = ws.close_code, reason = ws.close_reason } end
    end
    body { one = one }
  end
end

--- websocket.connect to a raw server.
local function connected(opts, body)
  local listener = assert(green.listen "127.0.0.1:0")
  local _, port = listener:sockname()
  local function one(play, check)
    local accepted = green.spawn(function()
      local stream = assert(listener:accept())
      return (shake.accept(stream))
    end)
    local ws = assert(websocket.connect(("ws://127.0.0.1:%d/"):format(port), with_large(opts)))
    local thread = green.spawn(M.echo, ws)
    local ok, err = pcall(play, accepted:wait())
    thread:wait()
    ws:abort()
    if not ok then error(err, 0) end
    if check then check { code = ws.close_code, reason = ws.close_reason } end
  end
  local ok, err = pcall(body, { one = one, port = port })
  listener:close()
  if not ok then error(err, 0) end
end

--- The forms by name.
M.forms = {
  { name = "a threaded server", with = threaded(M.echo), is_server = true },
  { name = "a threaded server in pieces", with = threaded(M.echo_pieces), is_server = true },
  { name = "a light server", with = light, is_server = true },
  { name = "a server over a stream", with = attached(testing.stream_pair, false) },
  { name = "a client over a socket", with = attached(socket.pair, true) },
  { name = "a client over a stream", with = attached(testing.stream_pair, true) },
  { name = "a connected client", with = connected },
}

--- The forms with these names, which all start so.
function M.those(start)
  local list = {}
  for _, form in ipairs(M.forms) do
    if form.name:find(start, 1, true) == 1 then
      list[#list + 1] = form
    end
  end
  return list
end

return M
