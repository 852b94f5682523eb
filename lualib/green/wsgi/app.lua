--- Makes a `function(env)` of an HTTP application in any of its forms: a function, a table,
-- the name of a module or a file.
-- @module green.wsgi.app

local args = require "green.args"
local patch_require = require "green.patch.require"
local start_response = require "green.wsgi.start_response"
local thread = require "green.thread"
local wsapi = require "green.wsgi.wsapi"

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
    local is_python = not options.wsapi and start_response.is_taken_by(app)
    return is_python and start_response.adapt(app) or app, app
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
