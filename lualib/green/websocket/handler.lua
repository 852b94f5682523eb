--- Handlers of WebSockets as handlers of green.wsgi: the opening handshake, and who has the
-- connection then.
-- @module green.websocket.handler

local accept = require "green.websocket.accept"
local args = require "green.args"
local conns = require "green.websocket.conn"
local core = require "green.core"
local place = require "green.websocket.place"
local envs = require "green.websocket.env"
local errors = require "green.error"
local exits = require "green.thread.exits"
local handshake = require "green.websocket.handshake"
local light = require "green.websocket.light"
local option_module = require "green.websocket.options"
local options = require "green.args.options"
local sets = require "green.websocket.set"
local terms_module = require "green.websocket.terms"
local thread = require "green.thread"
local base = require "green.socket.base"
local stream = require "green.socket.stream"

-- Scripts may put their own in their places.
local concat, error, gsub, ipairs, pairs, pcall, setmetatable, type, xpcall = table.concat, error,
  string.gsub, ipairs, pairs, pcall, setmetatable, type, xpcall

local NORMAL, FAILED = 1000, 1011
local WANTS_TIMEOUT = 10 -- seconds for the bytes behind draft 76's head
local functions = { open = true, message = true, close = true, drain = true }
local SET, HANDLE = place.SET, place.HANDLE

local M = {}

--- A server's set in this process: a fork's child makes its own.
local function set_of(self, server)
  local set = self.sets[server]
  if not set or not set:is_ours() then
    set = sets.new(self.options, self.handlers)
    self.sets[server] = set
  end
  return set
end

-- -- The connection -----------------------------------------------------------

local function read_behind(socket, n)
  return (base.wrap(socket, stream.mt):read(n, { timeout = WANTS_TIMEOUT }))
end

--- The thread that waits for it was abandoned (green.thread.exits).
local function wanting_ends(held)
  held.set:expect(-1)
end

--- What behind the head a draft wants. Returns true; nil: it did not come. A stop that comes
-- meanwhile gives it the grace. Parks.
local function read_wanted(set, socket, shake)
  if not shake.wants then
    return true
  end
  local held = { _exit = wanting_ends, set = set }
  set:expect(1)
  exits.hold(held)
  local ok, bytes = xpcall(read_behind, thread.note_traceback, socket, shake.wants)
  exits.release(held)
  set:expect(-1)
  if not ok then
    core.release(socket)
    error(bytes, 0)
  elseif bytes and #bytes == shake.wants then
    handshake.finish(shake, bytes)
    return true
  end
end

local function head_of(shake)
  local lines = { "HTTP/1.1 " .. shake.status_line }
  for i, header in ipairs(shake.headers) do
    lines[i + 1] = header[1] .. ": " .. gsub(header[2], "[%z\r\n]", " ")
  end
  return concat(lines, "\r\n") .. "\r\n\r\n" .. (shake.body or "")
end

--- A handler has returned, or raised.
local function over(ws, server, ok, err)
  core.ws_close(ws[SET].pointer, ws[HANDLE], ok and NORMAL or FAILED, "")
  conns.leave(ws)
  if not ok and errors.is_error(err, "ECANCELED") then
    error(err, 0)
  elseif not ok then
    server.log:failure(ws.env, err)
  end
end

local function run(ws, server, fn)
  over(ws, server, xpcall(fn, thread.note_traceback, ws))
end

--- The light form: the connection has no thread from here on. Its first message may be there.
local function rest(set, ws)
  core.ws_finish_open(set.pointer, ws[HANDLE])
end

--- The thread that open runs in was abandoned (green.thread.exits).
local function open_ends(held)
  core.ws_abort(held.set.pointer, held.ws[HANDLE])
  rest(held.set, held.ws)
end

--- The connection begins: its object, and its green thread where it is to have one. That is new,
-- and its stack small: the worker's is deep, and would be kept as long as the connection. The light
-- form gets what `open` is held by (green.thread.exits). Here is all that can raise (no memory):
-- once it has returned, somebody answers for the connection.
local function begin(self, set, handle, env, shake, known)
  local code = core.ws_send_raw(set.pointer, handle, head_of(shake))
  if code < 0 then
    error(errors.new(code, "websocket"), 0)
  end
  local ws = conns.new(set, handle, terms_module.known(shake, env, known.packed))
  if self.handlers then
    return ws, { _exit = open_ends, set = set, ws = ws }
  end
  return ws, exits.make(1, ws, false, run, ws, known.server, self.fn)
end

--- Take the connection into the server's set, and answer the handshake. Parks.
-- @tparam table known what cannot be had of env when it has been taken: `server`, and `packed`
-- (its env, if it is kept)
-- @return its object, the set, and its green thread or what its `open` is held by; or nil, err
local function take(self, env, shake, known)
  local socket, set = env["green.give"](function(server)
    return set_of(self, server)
  end)
  if not socket then
    return nil, set
  end
  if not read_wanted(set, socket, shake) then
    core.release(socket)
    return nil, errors.new("ECLOSED", "websocket", "the handshake was cut")
  end
  local terms = terms_module.of_server(shake, set.handlers ~= nil)
  local handle, code = core.ws_open(set.pointer, core.pointer(socket), terms)
  core.release(socket)
  if not handle then
    return nil, errors.new(code, "websocket")
  end
  local ok, ws, owner = pcall(begin, self, set, handle, env, shake, known)
  if not ok then
    set:free(handle)
    error(ws, 0)
  end
  return ws, set, owner
end

-- -- Handlers -----------------------------------------------------------------

local function open(set, ws, held)
  light.start(set)
  if set.handlers.open then
    exits.hold(held)
    set.handlers.open(ws)
  end
end

--- The light form: open runs here, the rest in workers. Parks if that does.
local function run_light(set, ws, held)
  local ok, err = xpcall(open, thread.note_traceback, set, ws, held)
  exits.release(held)
  if not ok then
    core.ws_close(set.pointer, ws[HANDLE], FAILED, "")
  end
  rest(set, ws)
  if not ok then
    error(err, 0)
  end
end

--- One request. Parks.
local function answer(self, env)
  local shake, refusal = handshake.read(env, self.shaking)
  local ok
  if shake and self.options.accept then
    ok, refusal = accept.ask(self.options.accept, env, shake)
    shake = ok and shake
  end
  if not shake then
    return refusal[1], refusal[2], refusal[3]
  end
  local is_kept = self.fn or self.options.keep_env
  local known = { server = env["green.server"], packed = is_kept and envs.pack(env) or nil }
  local _ = env.RAW_PATH_INFO -- for the report of what open raises: it cannot be read later
  local ws, set, owner = take(self, env, shake, known)
  if not ws and errors.is_error(set, "ECLOSED") then
    return 101, {}, "" -- the peer has gone, and there is nobody to be told
  elseif not ws then
    error(set, 0)
  elseif self.handlers then
    run_light(set, ws, owner)
  else
    core.start(owner)
  end
  return 101, {}, ""
end

--- What stands where the handler must: a function, or a table of functions.
local function read_handler(value, where)
  if type(value) == "function" or args.is_callable(value) then
    return value, nil
  elseif type(value) ~= "table" then
    args.wrong(where, "the handler", "a function(ws), or a table of functions", value)
  end
  options.check(value, functions, where)
  for name, fn in pairs(value) do
    args.callable(fn, where, name)
  end
  if not value.message then
    args.wrong(where, "the handler", "a function, or a table with the function message", value)
  end
  return nil, { open = value.open, message = value.message, close = value.close,
    drain = value.drain }
end

--- A handler of green.wsgi that speaks WebSocket. Raises misuse. Does not park.
-- @param handler
-- @tparam ?table opts
-- @tparam string where the function's name, for messages
function M.new(handler, opts, where)
  local fn, handlers = read_handler(handler, where)
  local o = option_module.read_server(opts, where)
  o.light = handlers ~= nil
  local self = { fn = fn, handlers = handlers, options = o,
    sets = setmetatable({}, { __mode = "k" }), -- by server: the end of one is not another's
    shaking = handshake.options(o, where) }
  return function(env)
    if not env or not env["green.give"] then
      args.wrong(where, "env", "what green.wsgi gives to a handler", env)
    end
    return answer(self, env)
  end
end

return M
