--- Applications in all their forms, made into `function(env)`.
-- @module green.wsgi.app

local core = require "green.core"
local env_module = require "green.wsgi.env"
local responding = require "green.wsgi.respond"

local CONN = env_module.CONN
local DONE = responding.DONE

-- -- start_response -----------------------------------------------------------

local function options_of(env)
  return env["green.server"].options
end

--- What start_response returns: write(text), which sends the head if need be.
local function writer(call, env)
  return function(text)
    local conn, options = rawget(env, CONN), options_of(env)
    if not conn then
      error("write: the request is over", 2)
    elseif not call.conn then
      responding.begin(conn, options, call.status, call.headers)
      core.http_stream(conn)
      call.conn = conn
    end
    responding.put_piece(conn, text, options, options.minimum_chunk_size)
  end
end

local function starter(call, env)
  return function(status, headers, exc_info)
    if call.conn and exc_info ~= nil then
      error(exc_info, 0) -- too late for another answer
    elseif call.status and exc_info == nil then
      error("start_response was called before", 2)
    end
    call.status, call.headers = status, headers or {}
    return writer(call, env)
  end
end

local function each_piece(body)
  if type(body) == "table" and not responding.is_callable(body) and not body.read then
    local i = 0
    return function()
      i = i + 1
      return body[i]
    end
  elseif responding.is_callable(body) then
    return body
  elseif type(body) == "table" or io.type(body) then
    return function()
      return body:read(65536)
    end
  end
  return function()
    local text = body
    body = nil
    return text
  end
end

--- The handler has begun to write: its body is the rest.
local function write_rest(call, env, body)
  local options = options_of(env)
  for text in each_piece(body) do
    responding.put_piece(call.conn, text, options, options.minimum_chunk_size)
  end
  responding.end_pieces(call.conn)
end

--- A generator: start_response is called when its first piece is made.
local function start_late(call, body)
  local next_piece = each_piece(body)
  local text = next_piece()
  if not call.status then
    error("wsgi: neither was start_response called nor a status returned", 0)
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
      responding.close_body(body)
    end,
  }, { __call = pieces })
end

local function finish(call, env, ...)
  local body, _, third = ...
  local kind = type(body)
  if not call.status and (kind == "number" or kind == "string" or third ~= nil) then
    return ... -- it is of the other kind, and has a second argument of its own
  elseif not call.status and (kind == "nil" or rawget(env, CONN) == nil) then
    return ...
  elseif not call.status then
    body = start_late(call, body)
  end
  if call.conn then
    local ok, err = pcall(write_rest, call, env, body)
    responding.close_body(body)
    if not ok then
      error(err, 0)
    end
    return 200, nil, DONE
  end
  return call.status, call.headers, body
end

--- An application that takes start_response, as Python's WSGI has it.
local function with_start_response(app)
  return function(env)
    local call = { status = nil, headers = nil, conn = nil }
    return finish(call, env, app(env, starter(call, env)))
  end
end

local function takes_start_response(fn)
  local info = debug.getinfo(fn, "u")
  return info.nparams == 2 and not info.isvararg
end

-- -- WSAPI --------------------------------------------------------------------

--- WSAPI applications read CONTENT_LENGTH bytes: a chunked body is read for them.
local function with_length(app)
  return function(env)
    local conn = rawget(env, CONN)
    local is_chunked = select(6, core.http_info(conn))
    if is_chunked then
      local ok, err = env.input:slurp()
      if not ok then
        return 400, { ["Content-Type"] = "text/plain" }, tostring(err) .. "\n"
      end
      env.CONTENT_LENGTH = tostring(env.input.length)
    end
    return app(env)
  end
end

-- -- Forms --------------------------------------------------------------------

local resolve

local function load_app(name, where, level)
  if name:find("/", 1, true) or name:find("%.lua$") or name:find("%.ws$") then
    local chunk, problem = loadfile(name)
    if not chunk then
      error(("%s: cannot load the application: %s"):format(where, problem), level + 1)
    end
    return resolve(chunk(), where, level + 1)
  end
  return resolve(require(name), where, level + 1)
end

--- The function of an application: a function, something callable, a table with
-- `run`, a module's name, or a file's (anything with "/", or ending in .lua or
-- .ws), which returns one of these.
function resolve(app, where, level)
  local kind = type(app)
  if kind == "function" then
    return takes_start_response(app) and with_start_response(app) or app
  elseif kind == "string" then
    return load_app(app, where, level + 1)
  elseif kind == "table" and rawget(app, "run") ~= nil then
    return resolve(app.run, where, level + 1)
  elseif responding.is_callable(app) then
    return function(env)
      return app(env)
    end
  elseif kind == "table" and app.run ~= nil then
    return resolve(app.run, where, level + 1)
  end
  error(("%s: an application is a function, a table with run, or the name of a module or a "
    .. "file, not %s"):format(where, tostring(app)), level + 1)
end

--- The function that a server with these options calls.
local function read(app, options, where, level)
  local fn = resolve(app, where, level + 1)
  return options.wsapi and with_length(fn) or fn
end

return { read = read }
