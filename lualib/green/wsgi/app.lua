--- Makes a `function(env)` of an HTTP application in any of its forms: a function, a table,
-- the name of a module or a file.
-- @module green.wsgi.app

local args = require "green.args"
local core = require "green.core"
local env_module = require "green.wsgi.env"
local answer = require "green.wsgi.answer"
local mistakes = require "green.wsgi.mistakes"
local patch_require = require "green.patch.require"
local thread = require "green.thread"
local wsapi = require "green.wsgi.wsapi"

local CONN = env_module.CONN
local DONE = answer.DONE

-- -- start_response -----------------------------------------------------------

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

-- -- Forms --------------------------------------------------------------------

local resolve

--- Was this table made by module(...)?
local function is_module(value)
  return type(value) == "table" and rawget(value, "_M") == value
end

--- Take the module of that name, if there is one, out of the places where module(...)
-- looks for a table to go on with. Returns what puts it back.
local function set_aside(name)
  local loaded, global = package.loaded, rawget(_G, name)
  local before = loaded[name]
  loaded[name] = nil
  if is_module(global) then
    rawset(_G, name, nil)
  end
  return function(app)
    if before ~= nil or loaded[name] == nil then
      loaded[name] = before or app
    end
    if is_module(global) then
      rawset(_G, name, global)
    end
  end
end

--- What a chunk gives that was read from a file. A .lua file is called as require
-- does it, so it may be made with module(...) and find itself by its name; what
-- else has that name in the program stays what it was. require itself is not asked:
-- while this file waits, others of its name may be loaded. Parks if the file does.
local function run_file(chunk, file)
  local name = file:match("([^/]*)%.lua$")
  if not name then
    return chunk()
  end
  local put_back = set_aside(name)
  local ok, app = xpcall(chunk, thread.note_traceback, name)
  if ok and app == nil then
    local env = getfenv(chunk)
    app = is_module(env) and env or package.loaded[name]
  end
  put_back(ok and app or nil)
  if not ok then
    error(app, 0)
  end
  return app
end

--- What a file gives; `app_path` of the options becomes its folder, for WSAPI.
local function load_file(name, options, where)
  local chunk, problem = loadfile(name)
  if not chunk then
    args.misuse("%s: app %s cannot be loaded: %s", where, args.shown(name), problem)
  elseif options.wsapi then
    options.app_path = wsapi.enter(name)
  end
  return run_file(chunk, name)
end

--- What a module gives. That it is not there, or is no Lua, is the caller's mistake;
-- what it raises passes as it is, with its own place. So its loader is looked for
-- before require does the same.
local function load_module(name, where)
  if not package.loaded[name] then
    local loader, problem = patch_require.find(name)
    if not loader then
      args.misuse("%s: app %s cannot be loaded: %s", where, args.shown(name), problem)
    end
  end
  return require(name)
end

local function load_app(name, options, where)
  if name:find("/", 1, true) or name:find("%.lua$") or name:find("%.ws$") then
    return resolve(load_file(name, options, where), options, where, name)
  end
  return resolve(load_module(name, where), options, where, name)
end

--- The function of an application, and the one that its author wrote: a function,
-- something callable, a table with `run`, a module's name, or a file's (anything
-- with "/", or ending in .lua or .ws), which returns one of these. WSAPI knows no
-- second parameter.
function resolve(app, options, where, from)
  local kind = type(app)
  if kind == "function" then
    local is_python = not options.wsapi and takes_start_response(app)
    return is_python and with_start_response(app) or app, app
  elseif kind == "string" then
    return load_app(app, options, where)
  elseif kind == "table" and rawget(app, "run") ~= nil then
    return resolve(app.run, options, where, from)
  elseif args.is_callable(app) then
    local function call(env)
      return app(env)
    end
    return call, args.callee(app)
  elseif kind == "table" and app.run ~= nil then
    return resolve(app.run, options, where, from)
  end
  args.misuse("%s: app must be a function, a table with run, or the name of a module or a "
    .. "file, not %s%s", where, args.shown(app), from and " (from " .. from .. ")" or "")
end

--- The function that a server with these options calls. Raises what is wrong with
-- the application. Parks if its module does.
-- @tparam string where the function's name, for messages
-- @return the function; the application's own function, which it calls
local function read(app, options, where)
  local fn, handler = resolve(app, options, where)
  return options.wsapi and wsapi.adapt(fn) or fn, handler
end

return { read = read }
