--- A request's body, read when the handler asks for it.
-- @module green.wsgi.input

local conns = require "green.wsgi.conn"
local args = require "green.args"
local class = require "green.args.class"
local continue = require "green.wsgi.input_continue"
local core = require "green.core"
local exchange = require "green.wsgi.exchange"
local gather = require "green.wsgi.gather"
local errors = require "green.error"
local show = require "green.args.show"
local thread = require "green.thread"

local conn_line, conn_skip = core.conn_line, core.conn_skip
local checkpoint, deadline_of, failed = thread.checkpoint, thread.deadline, thread.failed

local codes = core.codes
local EAGAIN = codes.EAGAIN
-- What the client hears when its handler does not catch the error.
local STATUS = { [codes.ETOOBIG] = 413, [codes.EPROTO] = 400, [codes.EEOF] = 400,
  [codes.ETIMEDOUT] = 408 }
local LINE_MAX = 65536

local methods = {}
for name, method in pairs(continue.methods) do
  methods[name] = method
end
local mt = { __name = "green.input", __index = methods }

-- How a piece is asked for.
local function get_body(conn, max, server)
  return exchange.body(server, conn, max)
end

local function get_line(conn, max)
  return conn_line(conn, max)
end

--- A piece of a body that was read before the handler was called.
local function text_piece(self, get, max)
  local text, from = self.text, self.pos
  local to = math.min(#text, from + (max or #text) - 1)
  if from > #text then
    return nil
  end
  if get == get_line then
    to = math.min(to, text:find("\n", from, true) or to)
  end
  self.pos = to + 1
  return text:sub(from, to)
end

--- Field body_status of an error: the client is to blame, and the handler is not.
local function body_error(code)
  return errors.new(code, "read request body", nil, { body_status = STATUS[code] })
end

--- The client has not sent it yet.
local function wait_for_piece(self, get, max)
  local conn, deadline = self.conn, deadline_of(self.timeout)
  local text, code, is_last
  repeat
    local status = conns.wait(self.server, conn, conns.READ, deadline)
    if not core.conn_is_open(conn) then -- its handler has left this thread behind
      return nil, errors.new("ECLOSED", "read request body")
    elseif status ~= 0 then
      core.conn_set_close(conn)
      if status == codes.ETIMEDOUT then
        return nil, body_error(status)
      end
      return failed(status, "read request body")
    end
    text, code, is_last = get(conn, max, self.server)
  until code ~= EAGAIN
  return text, code and body_error(code), is_last
end

--- get is get_body, get_line or conn_skip; waits for the client as need be. Without a loop
-- here, compiled code goes straight through when the body is there already.
-- @return as conn_body, the error as an object
local function next_piece(self, get, max)
  local conn = self.conn
  if not conn then
    return self.text and text_piece(self, get, max)
  end
  checkpoint()
  local text, code, is_last = get(conn, max, self.server)
  if code == EAGAIN then
    return wait_for_piece(self, get, max)
  end
  return text, code and body_error(code), is_last
end

--- A count of bytes need not be whole: whoever divides a body by three may ask.
local function whole(value, where, name)
  return math.floor(args.number(value, 0, where, name))
end

--- What is there of the body, at most max bytes. Parks.
-- @tparam[opt] number max
-- @return a string; nil at the end of the body; nil, err: EPROTO (bad chunks),
-- EEOF (the client stopped in the middle), ETOOBIG (over the server's max_body),
-- ETIMEDOUT, ECONNRESET
function methods:read_some(max)
  max = max and whole(max, "read_some", "max")
  return next_piece(self, get_body, max)
end

--- The body came in pieces, of which this is the first.
local function read_on(self, first, want)
  local room, left = gather.open(self, first, want)
  if room then
    return gather.read(self, room, left, next_piece)
  end
  local pieces, have = { first }, #first
  while have < want do
    local piece, err = next_piece(self, get_body, want - have)
    if err then
      return nil, err
    elseif not piece then
      break
    end
    have = have + #piece
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

--- Read the body. Parks.
-- @tparam[opt] number n at most that many bytes; default: all the rest
-- @return a string: n bytes, fewer at the end; nil when there are none left; or
-- nil, err as read_some
function methods:read(n)
  if type(n) == "string" then
    args.no_format(n, "read()")
  end
  local want = n == nil and math.huge or whole(n, "read", "n")
  if want == 0 then
    return nil
  end
  local piece, err, is_last = next_piece(self, get_body, want)
  if err then
    return nil, err
  elseif not piece or is_last or #piece == want then
    return piece
  end
  return read_on(self, piece, want)
end

--- What is there of the body, at most max bytes, for who hands it on. Does not park.
-- @return a string, and whether that is all; nil: ask read_some; or nil, err, which is told once
function methods:_present(max)
  if not self.conn then
    return nil
  end
  local text, code, is_last = get_body(self.conn, max, self.server)
  if code and code ~= EAGAIN then
    return nil, body_error(code)
  elseif not text and not code then
    return "", true
  end
  return text, is_last
end

--- A line with its "\n"; the last one may lack it. Parks.
-- @tparam[opt=65536] number max bytes at most; a longer line comes in pieces
-- @return a string, nil at the end, or nil, err as read_some
function methods:read_line(max)
  local pieces, have = {}, 0
  max = max == nil and LINE_MAX or whole(max, "read_line", "max")
  while have < max do
    local text, err = next_piece(self, get_line, max - have)
    if err then
      return nil, err
    elseif not text then
      break
    end
    pieces[#pieces + 1], have = text, have + #text
    if text:byte(-1) == 10 then
      break
    end
  end
  return have > 0 and table.concat(pieces) or nil
end

local function must(value, err)
  if err then
    error(err, 0)
  end
  return value
end

--- An iterator over the lines, each with its "\n"; raises on errors. Parks at
-- each step.
function methods:lines()
  return function()
    return must(self:read_line())
  end
end

--- An iterator over pieces as they come; raises on errors. Parks at each step.
function methods:chunks()
  return function()
    return must(self:read_some())
  end
end

--- Read the rest and forget it. Parks.
-- @return true, or nil, err
function methods:discard()
  while true do
    local piece, err, is_last = next_piece(self, conn_skip)
    if is_last or not piece then
      return err == nil or nil, err
    end
  end
end

--- Read it all now: for applications that know only bodies with a length. Parks.
-- @return true, or nil, err as read
function methods:slurp()
  local text, err = self:read()
  if err then
    return nil, err
  end
  self.text, self.pos = text or "", 1
  self.conn, self.length = nil, #self.text
  return true
end

show.kind(mt, function(self)
  local length = self.length and ("%d bytes"):format(self.length) or "of unknown length"
  return self.text and length .. ", read before" or length
end)
class.seal(mt)

--- The input of a request. `length` is its Content-Length, nil if unknown.
return function(conn, server)
  return setmetatable({
    conn = conn, -- nil after slurp
    server = server,
    timeout = server.options.body_timeout,
    length = exchange.length(server, conn),
    text = nil, -- the whole body, after slurp
    pos = 1,
  }, mt)
end
