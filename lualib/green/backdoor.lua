--- A prompt inside a running program: look at its values, call its functions, see its threads.
--
-- Off unless a program, or who starts it, asks. Who may use it can do all that the program
-- can: on a UNIX socket that is the same user and root; on TCP, on loopback only, who has the
-- token.
-- @module green.backdoor

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local digest = require "green.digest"
local ending = require "green.ending"
local errors = require "green.error"
local net = require "green.server"
local options = require "green.args.options"
local place = require "green.backdoor.place"
local session = require "green.backdoor.session"
local show = require "green.args.show"
local thread = require "green.thread"
local timeout = require "green.timeout"

local find, format = string.find, string.format
local error, ipairs, os, pairs, pcall, setmetatable, type = error, ipairs, os, pairs, pcall,
  setmetatable, type
local _G = _G

local TOKEN_SECONDS = 5 -- for the first line on TCP
local TOKEN_MOST = 256 -- bytes
local CLIENTS = 16

local methods = {}
local mt = { __name = "green.backdoor", __index = methods }

show.kind(mt, function(self)
  return self.is_closed and "closed" or self.path or self.address
end)

local M = {}

-- -- Sessions -----------------------------------------------------------------

local env_mt = { __index = _G }

--- A session's globals: what is assigned stays there, and is the program's nowhere.
local function env_of(locals)
  local env = setmetatable(locals or {}, env_mt)
  if env.green == nil then
    env.green = require "green"
  end
  return env
end

local function banner_of(text)
  return text or format("greenlua %d: a prompt in a running program (_G has its globals)",
    core.getpid())
end

local function check_locals(locals, where)
  args.optional(locals, "table", where, "locals")
  local its = locals and debug.getmetatable(locals)
  if its and its ~= env_mt then -- ours: another session's, too
    args.wrong(where, "locals", "a table without a metatable", locals)
  end
end

--- Serve one client until it leaves. Its connection stays open. Eventlet's
-- `backdoor((conn, addr), locals)`. Parks.
-- @param conn a stream; or a list whose first is one
-- @tparam[opt] table locals the client's globals, before the program's
function M.backdoor(conn, locals)
  local stream = type(conn) == "table" and conn[1] or conn
  if type(stream) ~= "table" or not args.is_callable(stream.read_line) then
    args.wrong("backdoor", "conn", "a stream, or a list whose first is one", conn)
  end
  check_locals(locals, "backdoor")
  session.serve(stream, env_of(locals), banner_of())
end

--- Serve all clients of a listener, until it is closed. Nobody is asked who they are: see open.
-- Eventlet's. Parks.
-- @param listener what green.listen gave
-- @tparam[opt] table locals the globals of all clients, before the program's
-- @return true; or nil, err, as green.serve
function M.backdoor_server(listener, locals)
  if type(listener) ~= "table" or not args.is_callable(listener.accept) then
    args.wrong("backdoor_server", "listener", "what green.listen gave", listener)
  end
  check_locals(locals, "backdoor_server")
  local env = env_of(locals)
  return net.serve(listener, function(conn)
    session.serve(conn, env, banner_of())
  end, { concurrency = CLIENTS })
end

-- -- Doors --------------------------------------------------------------------

--- May this client come in? Parks, on TCP.
local function is_welcome(self, conn)
  if not self.token then
    local cred = conn:peercred()
    return cred and (cred.uid == 0 or cred.uid == self.uid)
  end
  local line = conn:read_line { max = TOKEN_MOST, timeout = TOKEN_SECONDS }
  return line ~= nil and digest.equal(line, self.token)
end

local function serve_client(self, conn)
  if is_welcome(self, conn) then
    session.serve(conn, self.env, self.banner)
  end
end

local function serve_one(self, conn)
  local client = core.current()
  self.clients[client] = true
  local ok, err = pcall(serve_client, self, conn)
  self.clients[client] = nil
  if not ok then
    error(err, 0)
  end
end

--- Somebody may kill this thread: a door that nobody serves is closed.
local function run(self)
  timeout.finally(function()
    net.serve(self.listener, function(conn)
      serve_one(self, conn)
    end, { concurrency = CLIENTS })
  end, function()
    self:close()
  end)
end

--- Close it, and its clients' connections; what they run is killed. The socket's file is
-- removed. Idempotent, does not park.
function methods:close()
  if self.is_closed or self.pid ~= core.getpid() then
    return
  end
  self.is_closed = true
  self.exit:cancel()
  self.listener:close()
  for client in pairs(self.clients) do
    client:kill_soon()
  end
  if self.path then
    os.remove(self.path)
  end
end

class.seal(mt)

local function start(self, opts)
  self.env = env_of(opts.locals)
  self.banner = banner_of(opts.banner)
  self.pid = core.getpid()
  self.clients = {} -- a set of their threads
  self.is_closed = false
  self.exit = ending.at_exit(function()
    self:close()
  end)
  thread.spawn(run, self):name("backdoor")
  return setmetatable(self, mt)
end

local function open_unix(opts)
  local path, uid, err = opts.path, place.user()
  if not path then
    path, err = place.path()
  end
  if not path or not uid then
    return nil, err
  end
  local listener
  listener, err = net.listen("unix:" .. path, { mode = 384 }) -- 0600
  if not listener then
    return nil, err
  end
  return start({ listener = listener, path = path, uid = uid }, opts)
end

local function open_tcp(opts)
  local token = opts.token or digest.hex(digest.random(16))
  local listener, err = net.listen(opts.host or "127.0.0.1", opts.port)
  if not listener then
    return nil, err
  end
  local host, port = listener:sockname()
  if not (find(host, "^127%.") or host == "::1") then
    listener:close()
    return nil, errors.new("EACCES", "backdoor", host .. " is not on loopback")
  end
  return start({ listener = listener, token = token, port = port,
    address = (find(host, ":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port) }, opts)
end

local known = { path = true, port = true, host = true, token = true, locals = true,
  banner = true }

local function check(opts)
  opts = options.check(opts, known, "backdoor.open")
  args.optional(opts.path, "string", "backdoor.open", "path")
  args.optional(opts.banner, "string", "backdoor.open", "banner")
  check_locals(opts.locals, "backdoor.open")
  if opts.port == nil then
    for _, name in ipairs { "host", "token" } do
      if opts[name] ~= nil then
        args.wrong("backdoor.open", name, "nil where there is no port", opts[name])
      end
    end
    return opts
  end
  args.count(opts.port, 0, "backdoor.open", "port")
  args.optional(opts.host, "string", "backdoor.open", "host")
  args.optional(opts.token, "string", "backdoor.open", "token")
  if opts.token and not find(opts.token, "^[%w%p]+$") then
    args.wrong("backdoor.open", "token", "printable and not empty", opts.token)
  elseif opts.path then
    args.wrong("backdoor.open", "path", "nil where there is a port", opts.path)
  end
  return opts
end

--- Open one. Parks.
-- @tparam[opt] table opts
--
-- - `path`: of a UNIX socket, which only this user and root can use
-- ($XDG_RUNTIME_DIR/greenlua/PID, in a folder that is this user's alone)
-- - `port`: a TCP port on loopback instead, 0: any; `host` ("127.0.0.1")
-- - `token` (32 random digits): the first line that who connects to the port must send
-- - `locals`: a table, the clients' globals before the program's; what they assign stays there
-- - `banner`: the first line that a client reads
-- @return an object with `path`; or `address`, `port` and `token`; and `close`. Or nil, err:
-- ENOENT: XDG_RUNTIME_DIR is not set; EACCES: the folder is not this user's alone, the host is
-- not on loopback; those of green.listen
function M.open(opts)
  opts = check(opts)
  if opts.port then
    return open_tcp(opts)
  end
  return open_unix(opts)
end

return M
