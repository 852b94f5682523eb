--- Responses: what a server has answered.
-- @module green.http.response

local args = require "green.args"
local class = require "green.args.class"
local content = require "green.http.content"
local errors = require "green.error"
local headers = require "green.http.headers"
local hints = require "green.http.hints"
local pool = require "green.http.pool"
local reading = require "green.http.reading"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local pairs, setmetatable, type = pairs, setmetatable, type
local format, sub = string.format, string.sub

local methods = {}
for name, method in pairs(content.methods) do
  methods[name] = method
end
local mt = { __name = "green.http.response", __index = methods }
show.kind(mt, function(self)
  return ("%d, %s"):format(self.status, self.url)
end)

--- Let go of it: a body that was not read to its end ends its connection. Idempotent, does
-- not park.
function methods:close()
  self._closed = not self._text
  self._kept = false
  reading.abort(self)
end

--- Is the answer what was hoped for: a status below 400? Does not park.
-- @return the response; or nil, err: EHTTPSTATUS, with `status` and `response`
function methods:check()
  if self.ok then
    return self
  end
  return nil, errors.new("EHTTPSTATUS", self.method .. " " .. self.url, format(
    "the server answered %d %s", self.status, self.reason), { method = self.method,
    url = self.url, status = self.status, response = self, phase = "status" })
end

--- The connection itself, after 101 Switching Protocols and a CONNECT that was granted: what
-- the server has sent behind its answer is read first. It is the caller's. Does not park.
-- @return a stream; or nil, err: EOPNOTSUPP (the answer has a body as any other), ECLOSED
function methods:stream()
  if not self._tunnel then
    return nil, errors.new("EOPNOTSUPP", "stream", "the answer does not hand its connection over")
  elseif not self._conn then
    return nil, reading.closed(self, "stream")
  end
  local conn = self._conn
  self._conn = false
  return pool.give_away(conn)
end

local pass_on -- loaded when it is first needed

--- Make it the answer of the request that it was forwarded for, body and all; the body goes on
-- as it comes. Parks.
-- @tparam table env the handler's
-- @return what the handler is to return. Raises when the server ends too early (the client's
-- connection is closed then), and when the client does not take it
function methods:pass_on(env)
  pass_on = pass_on or require("green.http.pass_on").pass_on
  return pass_on(self, env)
end

local lazy = {}

function lazy.headers(self)
  return headers.parse(self._head)
end

function lazy.reason(self)
  return headers.reason(self._head)
end

--- What the answer sets: name -> value. What a value is good for a jar knows.
function lazy.cookies(self)
  local set, list = {}, self.headers:all("set-cookie")
  for i = 1, #list do
    local name, value = list[i]:match("^%s*([^=;%s]+)%s*=%s*([^;]*)")
    if name then
      set[name] = value
    end
  end
  return set
end

--- What came behind the body: nil unless that was asked for, and until its end.
function lazy.trailers(self)
  local text = self._trailers or self._text and self._req.settings.trailers and ""
  return text and headers.trailers(text) or nil
end

function lazy.history()
  return {}
end

function lazy.timings(self)
  local from = self._t_begin
  local function since(t)
    return t and t - from or nil
  end
  local times = self._times
  return { dns = since(times and times.found), connect = since(times and times.connected),
    connected = since(self._t_open or from), head = since(self._t_head),
    total = since(self._t_end or self._text and self._t_head) }
end

function lazy._t_head(self)
  return self._t_end
end

function lazy.version(self)
  return self._head:match("^HTTP/(1%.[01])") or "1.1"
end

function lazy.method(self)
  return self._req.method
end

function lazy.url(self)
  return self._req.url
end

class.seal(mt)
local safe = mt.__index

-- What most responses have.
for name, value in pairs { _conn = false, _kept = false, _text = false, _failed = false,
  _closed = false, _decoder = false, _tunnel = false, _more = false, _due = false,
  _no_reuse = false, _total = 0, _t_open = false, _t_end = false, _times = false,
  _trailers = false } do
  safe[name] = value
end

local public, fields = {}, { "status", "ok" } -- names, for hints
for name in pairs(safe) do
  public[#public + 1] = sub(name, 1, 1) ~= "_" and name or nil
end
for name in pairs(lazy) do
  fields[#fields + 1] = name
end

--- A field that there is not: nil, unless it can be told what was meant.
local function missing(name)
  if type(name) ~= "string" or sub(name, 1, 1) == "_" then
    return nil
  end
  local meant = hints.for_response(name, public, fields)
  if meant then
    args.misuse("response: there is no field '%s'; did you mean %s?", name,
      meant:find("(", 1, true) and "resp:" .. meant or "resp." .. meant)
  end
end

function mt.__index(self, name)
  local method = safe[name]
  if method ~= nil then
    return method
  end
  local make = lazy[name]
  if make then
    local value = make(self)
    self[name] = value
    return value
  end
  return missing(name)
end

local M = { mt = mt }

--- The response whose head a connection has read.
function M.new(req, conn, text)
  local status = conn.head.status
  return setmetatable({
    status = status,
    ok = status < 400,
    _head = text,
    _req = req,
    _conn = conn,
  }, mt)
end

--- The same, with what most of those from a network get: their fields are eight, as below.
function M.begun(req, conn, text, began, now)
  local status = conn.head.status
  return setmetatable({
    status = status,
    ok = status < 400,
    _head = text,
    _req = req,
    _conn = conn,
    _t_begin = began,
    _t_head = now,
    _t_end = false,
  }, mt)
end

--- One that was there as a whole at that time.
function M.whole(req, status, text, body, began, now)
  return setmetatable({ -- with the text of its body they are eight: more take twice the room
    status = status,
    ok = status < 400,
    _head = text,
    _req = req,
    _kept = body ~= "" and body,
    _t_begin = began,
    _t_end = now,
  }, mt)
end

return M
