--- WebSockets (RFC 6455), of servers and of clients, with compression (RFC 7692).
--
-- A handler is one of green.wsgi: it may stand beside others on the same port, plain and by
-- TLS. A connection has a green thread of its own, which reads and sends as if it were
-- alone; or, in the light form, none while it waits, so that one process holds a million.
-- @module green.websocket

local args = require "green.args"
local attach = require "green.websocket.attach"
local handlers = require "green.websocket.handler"
local frames = require "green.websocket.frame"

local M = {}

--- Servers need none of it: it is loaded when somebody connects.
local function client()
  return require "green.websocket.client"
end

--- A handler for green.wsgi.
--
-- With a function, that runs in a green thread a connection: `function(ws)`; when it returns
-- the connection is closed (1000), when it raises too (1011). With a table, the light form:
-- `open(ws)`, `message(ws, text, is_binary)`, `close(ws, code, reason)`, `drain(ws)` (what was
-- too much for the peer has left). They may park; a connection's messages come one after the
-- other.
-- Raises misuse. Does not park; the handler does.
-- @param handler a function or a table of functions
-- @tparam[opt] table opts `origins` (list of origins, "*", a function(origin, env); default: the
-- Host's own), `hosts` (names that it may be called by), `protocols` (sub-protocols, the first
-- that the client names is taken), `accept` (function(env), asked before the handshake is
-- answered: nothing or true: go on; a table `protocol`, `headers`, `cookies`; false: 403; or
-- status, headers, body), `compression` (true; false, or a table `level`, `threshold`,
-- `takeover`, `window_bits`), `max_message` (8 MiB, unpacked), `max_frame`, `max_fragments` (4096),
-- `max_buffered` (1 MiB), `send_timeout` (30 s), `ping_interval` (30 s of silence),
-- `ping_timeout` (20 s), `close_timeout` (5 s), `legacy` (drafts 75, 76 and hybi-8), `keep_env`
-- (light form: `ws.env`), `max_handlers` (light form: green threads at once, 4096)
-- @treturn function
function M.handler(handler, opts)
  if handler == M then
    args.misuse("handler: call it with a dot, websocket.handler(...)")
  end
  return handlers.new(handler, opts, "handler")
end

--- Eventlet's name for it: the drafts before the standard are spoken, too.
-- @param handler
-- @tparam[opt] table opts as handler; `max_frame_length` is `max_message`
-- @treturn function
function M.WebSocketWSGI(handler, opts)
  local o = { legacy = true }
  for name, value in pairs(args.optional(opts, "table", "WebSocketWSGI", "opts") or {}) do
    o[name == "max_frame_length" and "max_message" or name] = value
  end
  return handlers.new(handler, o, "WebSocketWSGI")
end

--- Connect to a server: the opening handshake, made by green.http. Parks.
-- @param url ws, wss, http or https: a text, or what green.url made
-- @tparam[opt] table opts `headers`, `auth`, `cookies`, `timeout`, `proxy`, `tls`, `unix`,
-- `allow`, `redirects` (0) and more of a request of green.http; `session` of green.http;
-- `origin`, `protocols`, `compression`; limits and times as handler
-- @treturn green.websocket or nil, err with `url`, `phase` and `cause`: EINVAL (it is no such
-- URL), EHTTPSTATUS (the server has refused: `status`, `reason`, `headers`, `body`), EPROTO
-- (its answer is not what was asked for), and what green.http gives
function M.connect(url, opts)
  return client().connect(url, opts)
end

--- A client that connects again when its connection is lost. The loop over its messages
-- connects, waits between two tries and reads; nothing is resumed. Raises misuse. Does not
-- park.
-- @param url as connect; or a function that gives one
-- @tparam[opt] table opts as connect; and `on_open` (function(ws, client), to say again what
-- the server must know), `delay` (0.5 s until the second try, doubled with each failure),
-- `max_delay` (30 s), `tries` (failures in a row, no limit), `retry` (function(err): go on?),
-- `send_wait` (seconds that `send` waits for a connection, 0)
-- @treturn green.websocket.reconnecting
function M.reconnecting(url, opts)
  return client().reconnecting(url, opts)
end

--- A connection over a stream whose opening handshake was made elsewhere. The stream is its
-- own from here on. Does not park.
-- @param stream
-- @tparam[opt] table opts `client` (true: this end masks what it sends), `path`, `origin`,
-- `protocol`, `offer` (permessage-deflate as it was agreed), and limits and times as handler
-- @treturn green.websocket or nil, err
function M.attach(stream, opts)
  return attach.attach(stream, opts, "attach")
end

--- A message that is encoded once and sent to many (`ws:send_frame`). Does not park.
-- @tparam string text
-- @tparam[opt] boolean is_binary
-- @treturn green.websocket.frame or nil, err: EILSEQ (no UTF-8), ENOMEM
M.frame = frames.new

return M
