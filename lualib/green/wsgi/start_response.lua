--- Applications that take start_response, as Python's WSGI has it: `app(env, start_response)`
-- returns the body, or writes pieces of it by what start_response returns.
-- @module green.wsgi.start_response

local args = require "green.args"
local answer = require "green.wsgi.answer"
local bodies = require "green.wsgi.body"
local mistakes = require "green.wsgi.mistakes"
local outlets = require "green.wsgi.outlet"

local DONE = answer.DONE

--- What start_response returns: write(text), which sends the head if need be.
local function writer(call, env)
  return function(text)
    local out = call.out or outlets.of(env)
    if not (out and out:is_open()) then
      args.misuse("write: the request is over")
    end
    if not call.out then
      out:begin(call.status, call.headers)
      call.out = out
    end
    out:put(text)
  end
end

local function starter(call, env)
  return function(status, headers, exc_info)
    if call.out and exc_info ~= nil then
      error(exc_info, 0) -- too late for another answer
    elseif call.status and exc_info == nil then
      args.misuse("start_response was called before")
    end
    call.status, call.headers = status, headers or {}
    return writer(call, env)
  end
end

--- The handler has begun to write: its body is the rest.
local function write_rest(out, body)
  for text in bodies.each_piece(body, function() return out:room() end) do
    if not out:is_open() or out:has_no_body() then
      break -- taken over, nothing of the answer had left; or nobody gets the rest
    end
    out:put(text)
  end
  if out:is_open() then
    out:finish()
  end
end

--- A generator: start_response is called when its first piece is made.
local function start_late(call, body)
  local next_piece = bodies.each_piece(body)
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
      bodies.close(body)
    end,
  }, { __call = pieces })
end

local function finish(call, env, ...)
  local body, _, third = ...
  local kind = type(body)
  if not call.status and (kind == "number" or kind == "string" or third ~= nil) then
    return ... -- it is of the other kind, and has a second argument of its own
  elseif not call.status and (kind == "nil" or not outlets.of(env)) then
    return ...
  elseif not call.status then
    body = start_late(call, body)
  end
  if call.out then
    local ok, err = pcall(write_rest, call.out, body)
    bodies.close(body)
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
    local call = { status = nil, headers = nil, out = nil }
    return finish(call, env, app(env, starter(call, env)))
  end
end

--- Does a function take it? It has two parameters then, and no more.
local function is_taken_by(fn)
  local info = debug.getinfo(fn, "u")
  return info.nparams == 2 and not info.isvararg
end

return { adapt = adapt, is_taken_by = is_taken_by }
