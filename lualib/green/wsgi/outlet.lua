--- Where an answer goes that is written piece by piece, as start_response has it: to the
-- connection of a request, or to whatever else stands in the env.
--
-- Such an outlet has the methods of the class below.
-- @module green.wsgi.outlet

local answer = require "green.wsgi.answer"
local core = require "green.core"

local rawget, setmetatable = rawget, setmetatable -- scripts may put their own there

local KEY = "green.outlet" -- where an env has one of its own
local CONN = require("green.wsgi.env").CONN

local methods = {}
local mt = { __index = methods }

--- Is the request still in hand, and its connection the server's?
function methods:is_open()
  return core.conn_is_open(self.conn)
end

--- Write the head. Raises a mistake.
function methods:begin(status, headers)
  answer.begin(self.server, self.conn, status, headers)
  core.answer_stream(self.conn)
end

--- Write a piece. Raises a mistake, and when the client is gone. Parks.
function methods:put(piece)
  answer.put_piece(self.server, self.conn, piece, self.server.options.minimum_chunk_size)
end

--- Does nobody get what is put? So it is with HEAD, 204, 304.
function methods:has_no_body()
  return core.answer_has_no_body(self.conn)
end

--- How many bytes more its Content-Length has room for; nil: any number.
function methods:room()
  return core.answer_room(self.conn)
end

--- That was all. Raises a mistake.
function methods:finish()
  answer.end_pieces(self.conn)
end

--- The outlet of a request; nil: it is over.
local function of(env)
  local own, conn = rawget(env, KEY), rawget(env, CONN)
  if own or not conn or not core.conn_is_open(conn) then
    return own
  end
  return setmetatable({ conn = conn, server = env["green.server"] }, mt)
end

return { of = of, KEY = KEY }
