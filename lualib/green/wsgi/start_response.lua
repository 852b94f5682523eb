--- Applications that take start_response, as Python's WSGI has it: `app(env, start_response)`
-- returns the body, or writes pieces of it by what start_response returns.
-- @module green.wsgi.start_response

local args = require "green.args"
local core = require "green.core"
local env_module = require "green.wsgi.env"
local answer = require "green.wsgi.answer"
local mistakes = require "green.wsgi.mistakes"

local CONN = env_module.CONN
local DONE = answer.DONE

local function server_of(env)
  return env["green.server"]
end

--- What start_response returns: write(text), which sends the head if need be.
local function writer(call, env)
  return function(text)
    local conn = rawget(env, CONN)
    if not (conn and core.conn_is_open(conn)) then
      args.misuse("write: the request is over")
    end
    local server = server_of(env)
    if not call.conn then
      answer.begin(server, conn, call.status, call.headers)
      core.answer_stream(conn)
      call.conn = conn
    end
    answer.put_piece(server, conn, text, server.options.minimum_chunk_size)
  end
end

local function starter(call, env)
  return function(status, headers, exc_info)
    if call.conn and exc_info ~= nil then
      error(exc_info, 0) -- too late for another answer
    elseif call.status and exc_info == nil then
      args.misuse("start_response was called before")
    end
    call.status, call.headers = status, headers or {}
    return writer(call, env)
  end
end

local function each_piece(body, conn)
  if type(body) == "table" and not args.is_callable(body) and not body.read then
    local i = 0
    return function()
      i = i + 1
      return body[i]
    end
  elseif args.is_callable(body) then
    return body
  elseif type(body) == "table" or io.type(body) then
    return answer.pieces_of(conn, body)
  end
  return function()
    local text = body
    body = nil
    return text
  end
end

--- The handler has begun to write: its body is the rest.
local function write_rest(call, env, body)
  local server = server_of(env)
  for text in each_piece(body, call.conn) do
    if not core.conn_is_open(call.conn) or core.answer_has_no_body(call.conn) then
      break -- taken over, nothing of the answer had left; or nobody gets the rest
    end
    answer.put_piece(server, call.conn, text, server.options.minimum_chunk_size)
  end
  if core.conn_is_open(call.conn) then
    answer.end_pieces(call.conn)
  end
end

--- A generator: start_response is called when its first piece is made.
local function start_late(call, body)
  local next_piece = each_piece(body)
  local text = next_piece()
  if not call.status then
    error(mistakes.new("neither was start_response called nor a status returned"), 0)
  end
  local function pieces()
    local piece = text
    text = nil
    if piece == nil then
      piece = next_piece()
    end
    return piece
  end
  return setmetatable({
    close = function()
      answer.close_body(body)
    end,
  }, { __call = pieces })
end

local function finish(call, env, ...)
  local body, _, third = ...
  local kind = type(body)
  if not call.status and (kind == "number" or kind == "string" or third ~= nil) then
    return ... -- it is of the other kind, and has a second argument of its own
  elseif not call.status and (kind == "nil" or not core.conn_is_open(rawget(env, CONN))) then
    return ...
  elseif not call.status then
    body = start_late(call, body)
  end
  if call.conn then
    local ok, err = pcall(write_rest, call, env, body)
    answer.close_body(body)
    if not ok then
      error(err, 0)
    end
    return 200, nil, DONE
  end
  return call.status, call.headers, body
end

--- The handler for an application that takes start_response.
local function adapt(app)
  return function(env)
    local call = { status = nil, headers = nil, conn = nil }
    return finish(call, env, app(env, starter(call, env)))
  end
end

--- Does a function take it? It has two parameters then, and no more.
local function is_taken_by(fn)
  local info = debug.getinfo(fn, "u")
  return info.nparams == 2 and not info.isvararg
end

return { adapt = adapt, is_taken_by = is_taken_by }
